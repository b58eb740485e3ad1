# /// script
# [tool.agentos]
# name = "headers"
#
# [tool.agentos.grants.files.read]
# path = [
#     "a/**",  # first
#     "/srv/b?.txt",
# ]
#
# [[tool.agentos.grants.files.write]]
# path = "c"
#
# [[tool.agentos.grants.files.write]]
# path = "d"
# bytes = 1_000
# ask = "always"
# ///
print('x')
