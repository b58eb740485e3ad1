# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["api.example.com"], port = 70000 }
# ///
print('x')
