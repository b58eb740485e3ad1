# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["faß.example"] }
# ///
print('x')
