# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = ["a/**", "b/**.md"] }
# ///
print('x')
