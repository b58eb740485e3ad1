# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "hook.received", id = 3 }]
# ///
print('x')
