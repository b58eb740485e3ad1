# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = "*.{md,txt}" }
# ///
print('x')
