# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "file.read" = { path = "a" }
# ///
print('x')
