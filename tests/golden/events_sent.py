# /// script
# [tool.agentos.grants]
# "event.send" = { name = ["order.shipped", "report.ready"] }
# "event.wait_for" = { name = ["order.paid"] }
# ///
