# /// script
# [tool.agentso]
# name = "x"
# ///
print('x')
