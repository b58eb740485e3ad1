# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["api.github.com"], secret = ["github", "jira"] }
# ///
print('x')
