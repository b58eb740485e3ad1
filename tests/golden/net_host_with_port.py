# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["localhost:8000"] }
# ///
print('x')
