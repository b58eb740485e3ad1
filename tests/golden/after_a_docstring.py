#!/usr/bin/env python3
"""Does a thing."""

# /// script
# [tool.agentos]
# [tool.agentos.grants]
# "files.stat" = { path = "x" }
# ///
print('x')
