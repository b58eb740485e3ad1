# /// script
# [tool.agentos]
# name = "x"
# on = "timer.every"
# ///
print('x')
