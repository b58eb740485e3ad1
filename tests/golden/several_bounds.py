# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.read" = [{ path = "a/**" }, { path = "b/**", ask = "always" }]
# "post.send" = { to = ["*@Acme.com", "Bob@x.org"], server = "*.Example.COM", kind = "letter", size = 500, stamps = "1_000" }
# ///
print('x')
