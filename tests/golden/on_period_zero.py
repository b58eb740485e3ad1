# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = 0 }]
# ///
print('x')
