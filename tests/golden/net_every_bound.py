# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = { host = ["api.example.com", "*.example.org"], method = ["POST", "GET"], scheme = ["https", "http"], port = [8443, "443"], path = ["/v1/**", "/caf%c3%a9"], network = ["lan", "public"], secret = "jira", sent = "1MiB", received = 5_000, ask = "always" }
# ///
print('x')
