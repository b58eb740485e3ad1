# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "../secret" }
# ///
print('x')
