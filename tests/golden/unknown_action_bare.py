# /// script
# [tool.agentos]
# [tool.agentos.grants]
# files.remove_everything = { path = "a" }
# ///
print('x')
