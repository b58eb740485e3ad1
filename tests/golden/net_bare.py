# /// script
# [tool.agentos]
# [tool.agentos.grants]
# net.fetch = { host = ["xn--bcher-kva.example"] }
# ///
print('x')
