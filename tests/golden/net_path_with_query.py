# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["api.example.com"], path = ["/v1?key=*"] }
# ///
print('x')
