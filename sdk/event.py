"""Events: send one, or wait for one.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from agentos.sdk.sent import send, wait_for

__all__ = ["send", "wait_for"]
