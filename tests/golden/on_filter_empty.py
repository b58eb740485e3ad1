# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", filter = {} }]
# ///
print('x')
