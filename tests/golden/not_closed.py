# /// script
# [tool.agentos]
#name = "x"
# ///
print('x')
