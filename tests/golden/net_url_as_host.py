# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["https://api.example.com/v1"] }
# ///
print('x')
