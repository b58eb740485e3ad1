# /// script
# dependencies = ["agentos-sdk"]
# [tool.agentos]
# [tool.agentos.grants]
# "files.list" = { path = "." }
# ///
print('x')
