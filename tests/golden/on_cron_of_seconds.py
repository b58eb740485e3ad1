# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.cron", at = "0 0 7 * * *", tz = "UTC" }]
# ///
print('x')
