# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["printer.local"], network = "local" }
# ///
print('x')
