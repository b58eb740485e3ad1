# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = { path = ["./a//b/", "~/n/**/**", "z", "./z"] }
# ///
print('x')
