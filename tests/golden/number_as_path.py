# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = 3 }
# ///
print('x')
