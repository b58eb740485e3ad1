#/// script
# [tool.agentos]
# ///
print('x')
