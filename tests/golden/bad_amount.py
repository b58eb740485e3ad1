# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.write" = { path = "a", bytes = "10 apples" }
# ///
print('x')
