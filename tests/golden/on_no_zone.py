# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.cron", at = "0 7 * * *" }]
# ///
print('x')
