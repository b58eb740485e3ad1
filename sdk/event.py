"""Events that start programs which wait for them.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from agentos.sdk.sent import send

__all__ = ["send"]
