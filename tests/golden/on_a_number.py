# /// script
# [tool.agentos]
# name = "x"
# on = [30]
# ///
print('x')
