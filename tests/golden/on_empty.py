# /// script
# [tool.agentos]
# name = "x"
# on = []
# ///
print('x')
