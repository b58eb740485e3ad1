# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", batch = { count = 5 } }]
# ///
print('x')
