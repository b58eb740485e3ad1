# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.get" = { host = ["api.example.com"] }
# ///
print('x')
