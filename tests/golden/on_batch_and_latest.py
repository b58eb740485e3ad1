# /// script
# [tool.agentos]
# name = "x"
# on = [
#     { event = "event.paid", batch = { count = 5, seconds = 5 } },
#     { event = "event.sold", concurrency = "latest" },
# ]
# ///
print('x')
