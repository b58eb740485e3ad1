# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "pages.read" = {}
# ///
print('x')
