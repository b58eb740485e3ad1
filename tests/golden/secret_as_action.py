# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "secrets.read" = { name = "github" }
# ///
print('x')
