# /// script
# dependencies = [
#     "agentos-sdk",
#     "requests>=2",
# ]
# [tool.agentos]
# ///
print('x')
