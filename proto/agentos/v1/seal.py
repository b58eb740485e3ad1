"""The seal on each call from the kernel to a capability server, computed alike on both sides.

A server listens on a Unix socket, and a Unix socket does not say who connects. So the kernel makes a key for each
start of a server, hands it over through an inherited pipe, and seals every call with it: the full method name as gRPC
spells it (`/agentos.v1.FilesService/Read`), the serialised CallContext and the serialised request, each preceded by
its length, under BLAKE2b keyed with it. The seal is taken over the bytes that were sent, not over a parsed message
that could be written down in two ways.

The nonce counts up from 1 under each key. A server keeps one window of the newest `WIDTH` of them (as IPsec does,
RFC 4303, 3.4.3): what lies before the window or was seen in it is a replay. That needs 1 KiB for ever, and no call of
the kernel is refused as long as fewer than `WIDTH` are under way at once.
"""

from __future__ import annotations

import hashlib
import hmac

CONTEXT = "agentos-context-bin"
SEAL = "agentos-seal-bin"
ERROR = "agentos-error-bin"

KEY_BYTES = 32
NONCE_BYTES = 8
WIDTH = 8192

# What one call may weigh. A frame of a guest is at most 8 MiB.
REQUEST_BYTES = 8 * 2**20 + 2**16
REPLY_BYTES = 8 * 2**20 + 2**16
CONTEXT_BYTES = 256 * 2**10
# What gRPC reads at all: more than a request may weigh, so that one that is too large can be told so.
MESSAGE_BYTES = REQUEST_BYTES + 2**18


def seal(key: bytes, method: str, context: bytes, request: bytes) -> bytes:
    """The 32 bytes that say: the holder of the key sends this request, in this context, to this method."""
    name = method.encode()
    head = b"".join((_length(name), name, _length(context), context, _length(request)))
    mac = hashlib.blake2b(head, key=key, digest_size=32)
    mac.update(request)
    return mac.digest()


def _length(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big")


def holds(given: bytes, key: bytes, method: str, context: bytes, request: bytes) -> bool:
    """Whether a seal is the right one, in constant time."""
    return hmac.compare_digest(given, seal(key, method, context, request))


def nonce(count: int) -> bytes:
    return count.to_bytes(NONCE_BYTES, "big")


class Window:
    """The nonces seen under one key. Ask only about calls whose seal holds."""

    def __init__(self) -> None:
        self._newest = 0
        self._seen = 0

    def admits(self, given: bytes) -> bool:
        """Whether this nonce is new; it no longer is afterwards."""
        count = int.from_bytes(given, "big")
        if len(given) != NONCE_BYTES or count == 0:
            return False
        if count > self._newest:
            self._seen = (self._seen << min(count - self._newest, WIDTH)) & ((1 << WIDTH) - 1)
            self._newest = count
        bit = 1 << (self._newest - count) if self._newest - count < WIDTH else 0
        fresh = bool(bit) and not self._seen & bit
        self._seen |= bit
        return fresh
