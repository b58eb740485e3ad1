# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = 30, filter = { a = 1 } }]
# ///
print('x')
