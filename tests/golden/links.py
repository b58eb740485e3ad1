# /// script
# [tool.agentos]
# name = "links"
# [tool.agentos.grants]
# "files.read"  = { path = ["notes/**/*.md"] }
# "files.write" = { path = "report.md", bytes = "1MiB" }
# ///
print('x')
