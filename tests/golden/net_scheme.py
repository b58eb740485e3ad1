# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["api.example.com"], scheme = "ftp" }
# ///
print('x')
