# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = ['what\? \[1\].md', "~/a\\*b"] }
# ///
print('x')
