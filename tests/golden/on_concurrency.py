# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", concurrency = "queue" }]
# ///
print('x')
