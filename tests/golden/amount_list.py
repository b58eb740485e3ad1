# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.write" = { path = "a", bytes = [1] }
# ///
print('x')
