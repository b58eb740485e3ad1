# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "hook.received", secret = "mine" }]
# ///
print('x')
