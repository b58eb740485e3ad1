# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = 1e18 }]
# ///
print('x')
