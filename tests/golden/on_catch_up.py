# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", seconds = 30, catch_up = "lats" }]
# ///
print('x')
