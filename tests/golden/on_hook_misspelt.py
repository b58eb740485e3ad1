# /// script
# [tool.agentos]
# name = "x"
# on = ["hook.recieved"]
# ///
print('x')
