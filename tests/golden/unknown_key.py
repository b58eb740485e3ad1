# /// script
# [tool.agentos]
# name = "x"
# grant = 1
# ///
print('x')
