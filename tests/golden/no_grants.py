# /// script
# [tool.agentos]
# name = "pure sum"
# ///
print('x')
