# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "~root/x" }
# ///
print('x')
