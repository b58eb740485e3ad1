# /// scripts
# [tool.agentos]
# ///
print('x')
