# /// script
# [tool.agentos]
# name = "x"
# [tool.agentos.grants]
# ///
print('x')
