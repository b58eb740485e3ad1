# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "hook.received", headers = ["X Kind"] }]
# ///
print('x')
