# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = true }]
# ///
print('x')
