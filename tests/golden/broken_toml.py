# /// script
# [tool.agentos]
# name = "x"
# [tool.agentos.grants]
# "files.read" = { path = ["a" }
# ///
print('x')
