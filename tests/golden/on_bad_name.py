# /// script
# [tool.agentos]
# name = "x"
# on = ["event.Paid!"]
# ///
print('x')
