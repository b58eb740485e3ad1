# /// script
# [tool.agentos]
# limits = { cpu = 5 }
# ///
print('x')
