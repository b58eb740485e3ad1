# /// script
# [tool.agentos]
# name = "x"
# on = ["timer.evry"]
# ///
print('x')
