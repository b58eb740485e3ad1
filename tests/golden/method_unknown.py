# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = "api.example.com", method = ["GET", "FETCH"] }
# ///
print('x')
