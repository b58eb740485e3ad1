# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "a\u202eb" }
# ///
print('x')
