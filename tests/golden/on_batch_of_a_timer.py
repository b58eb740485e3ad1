# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = 3, batch = { count = 5, seconds = 5 } }]
# ///
print('x')
