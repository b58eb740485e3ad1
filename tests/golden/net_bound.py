# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { hosts = ["api.example.com"] }
# ///
print('x')
