# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = nan }]
# ///
print('x')
