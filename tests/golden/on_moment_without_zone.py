# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.at", at = "2030-01-01T08:00:00" }]
# ///
print('x')
