# /// script
# [tool.agentos]
# on = ["mail.received"]
# ///
print('x')
