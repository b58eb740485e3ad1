# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = []
# ///
print('x')
