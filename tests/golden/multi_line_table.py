# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = {
#   path = "a",
# }
# ///
print('x')
