# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetsh" = { host = ["api.example.com"] }
# ///
print('x')
