"""What a call has to show before anything of it is looked at, whichever way it came."""

from __future__ import annotations

import time

from agentos.capabilities.context import Context
from agentos.capabilities.failure import Denied, Limit, Unavailable
from agentos.v1 import capability_pb2, seal


class Gate:
    """One for each start of a server: the key of that start, and the calls that were made under it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._window = seal.Window()

    def admit(self, method: str, context: bytes, request: bytes, given: bytes) -> Context:
        """The context of a call of the kernel. Raises for anything that the kernel did not send just now."""
        if len(request) > seal.REQUEST_BYTES or len(context) > seal.CONTEXT_BYTES:
            raise Limit("the call is larger than one call can carry", detail="too_large")
        if not seal.holds(given, self._key, method, context, request):
            raise Denied("the call is not sealed by the kernel")
        told = capability_pb2.CallContext.FromString(context)
        if told.deadline_unix_ms <= time.time() * 1000:
            raise Unavailable("the call's deadline has passed")
        if not self._window.admits(told.nonce):
            raise Denied("the call was made before")
        return Context.read(told)
