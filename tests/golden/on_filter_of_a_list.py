# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", filter = { kind = ["a"] } }]
# ///
print('x')
