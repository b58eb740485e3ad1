# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "net.fetch" = [
#   { host = "api.example.com" },
#   { host = "api.example.com", method = ["POST"], path = ["/v1/owls"] },
# ]
# "net.head" = { host = "www.example.com" }
# "files.write" = { path = ["owls.json"] }
# ///
print('x')
