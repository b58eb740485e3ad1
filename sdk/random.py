"""Random bytes.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

import builtins
from base64 import b64decode

from agentos.sdk.calls import Call, action

__all__ = ["bytes"]


@action
def bytes(count: int) -> Call[builtins.bytes]:
    """Draw random bytes.

    Every program may make this call.

    count: 1 to 65536.
    """
    return Call("random.bytes", {"count": count}, lambda reply: b64decode(reply.get("data", "")))
