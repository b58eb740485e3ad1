# /// script
# python = ">=3.11"
# [tool.agentos]
# ///
print('x')
