# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.every", second = 30 }]
# ///
print('x')
