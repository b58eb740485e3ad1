# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "clock.now" = {}
# ///
print('x')
