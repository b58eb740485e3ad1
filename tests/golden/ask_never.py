# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "a", ask = "never" }
# ///
print('x')
