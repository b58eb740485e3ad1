# /// script
# [tool.agentos]
# name = "x"
# on = ["event.a", { event = "event.b", concurrency = "latest" }, { event = "event.c", concurrency = "serial" }]
# ///
print('x')
