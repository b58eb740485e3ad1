# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "post.send" = { to = "Bob <b@c.d>", kind = "k", server = "a.com" }
# ///
print('x')
