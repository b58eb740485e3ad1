# /// script
# [tool.agentos]
# ///

# /// script
# [tool.agentos]
# ///
