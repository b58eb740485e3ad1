# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "post.count" = {}
# ///
print('x')
