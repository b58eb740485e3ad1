# /// script
# [tool.agentos]
# [tool.agentos.grants]
# files = { path = "a" }
# ///
print('x')
