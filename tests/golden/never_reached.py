# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = ["/proc/self/environ"] }
# ///
print('x')
