# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", concurrency = { parallel = 0 } }]
# ///
print('x')
