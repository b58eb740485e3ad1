# /// script
# [tool.agentos]
# name = "x"
# on = [{ event = "timer.cron", at = "0 7 * * *", tz = "Europe/Pariss" }]
# ///
print('x')
