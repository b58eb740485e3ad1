# /// script
# [tool.agentos]
# on = [
#     "event.invoice.arrived",
#     { event = "timer.every", seconds = 30 },
#     { event = "timer.cron", at = "0 7 * * 1-5", tz = "Europe/Paris", catch_up = "none", retries = 0 },
#     { event = "timer.at", at = 2030-01-01T08:00:00+01:00, catch_up = "all" },
#     { event = "event.paid", filter = { kind = "card", count = 2 }, debounce = 1.5, concurrency = { parallel = 4 } },
#     { event = "hook.received", headers = ["X-Kind", "x-a"], id = "X-Delivery", retries = 0 },
# ]
# ///
print('x')
