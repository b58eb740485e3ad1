# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "event.paid", retries = 1000 }]
# ///
print('x')
