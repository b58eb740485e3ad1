# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = -5 }]
# ///
print('x')
