# /// script
# [tool.agentos]
# limits = {}
# ///
print('x')
