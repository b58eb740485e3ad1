# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.raed" = { path = "a" }
# ///
print('x')
