# /// script
# [tool.agentos]
# limits = { memory = "128MiB", cpu = "5s", wall = "2m", calls = 1000, output = "1MiB" }
# [tool.agentos.grants]
# "files.read" = { path = "~" }
# ///
print('x')
