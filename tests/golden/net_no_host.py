# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { path = ["/v1/**"] }
# ///
print('x')
