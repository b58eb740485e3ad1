# /// script
# [tool.agentos]
# limits = { memory = "64GiB" }
# ///
print('x')
