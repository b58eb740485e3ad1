# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = [] }
# ///
print('x')
