# /// script
# [tool.agentos]
# name = ""
# ///
print('x')
