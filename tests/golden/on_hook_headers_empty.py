# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "hook.received", headers = [] }]
# ///
print('x')
