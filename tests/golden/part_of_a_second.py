# /// script
# [tool.agentos]
# limits = { cpu = "1500ms" }
# ///
print('x')
