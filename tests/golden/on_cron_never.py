# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.cron", at = "0 0 30 2 *", tz = "UTC" }]
# ///
print('x')
