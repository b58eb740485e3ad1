# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.head" = { host = "api.example.com", method = "GET" }
# ///
print('x')
