# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.read" = {}
# ///
print('x')
