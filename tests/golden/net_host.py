# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = "API.example.com" }
# ///
print('x')
