# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "post.send" = { to = "a@b.c", kind = "letter" }
# ///
print('x')
