# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "hook.received", header = ["a"] }]
# ///
print('x')
