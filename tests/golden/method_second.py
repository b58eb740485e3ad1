# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = "api.example.com", method = ["GET", "COPY"] }
# ///
print('x')
