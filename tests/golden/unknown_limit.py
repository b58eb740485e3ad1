# /// script
# [tool.agentos]
# [tool.agentos.limits]
# memory = "128MiB"
# time = "5s"
# ///
print('x')
