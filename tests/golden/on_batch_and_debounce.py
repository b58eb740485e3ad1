# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", debounce = 2, batch = { count = 5, seconds = 5 } }]
# ///
print('x')
