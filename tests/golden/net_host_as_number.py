# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["2130706433"] }
# ///
print('x')
