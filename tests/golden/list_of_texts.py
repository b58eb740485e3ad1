# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = ["notes/**"]
# ///
print('x')
