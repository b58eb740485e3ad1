# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "a", paths = "b" }
# ///
print('x')
