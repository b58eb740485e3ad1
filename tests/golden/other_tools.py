# /// script
# requires-python = ">=3.11"
# dependencies = []
# [tool.ruff]
# line-length = 100
# [tool.agentos]
# name = "with tools"
# ///
print('x')
