# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.cron", at = "0 25 * * *", tz = "UTC" }]
# ///
print('x')
