# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["*"] }
# ///
print('x')
