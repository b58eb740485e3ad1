# /// script
# [tool.agentos]
# [tool.agentos.grants]
# files.read = { path = "~/notes/**" }
# files.write = { path = ["out/*.csv"], ask = "always" }
# ///
print('x')
