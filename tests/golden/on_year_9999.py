# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.at", at = "9999-01-01T08:00:00Z" }]
# ///
print('x')
