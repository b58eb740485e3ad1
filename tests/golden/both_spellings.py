# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "a" }
# files.write = { path = "b" }
# ///
print('x')
