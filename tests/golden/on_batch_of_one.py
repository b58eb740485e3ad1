# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", batch = { count = 1, seconds = 5 } }]
# ///
print('x')
