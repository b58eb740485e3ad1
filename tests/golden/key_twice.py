# /// script
# [tool.agentos]
# name = "x"
# name = "y"
# ///
print('x')
