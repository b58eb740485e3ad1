# /// script
# [tool]
# agentos.name = "dotted"
# agentos.grants."files.read".path = "x"
# ///
print('x')
