"""How a capability says no: one exception for each code of error.proto that a server may give.

Raise these and nothing else on purpose. The text goes to the program and perhaps to a model: name what the program
itself named, never a host's path, an exception's text or an address. Any other exception becomes `Unavailable` with
no text at all, and its traceback goes to the server's own stderr.
"""

from __future__ import annotations

from typing import ClassVar

from agentos.v1 import error_pb2


class Failure(Exception):
    """The base: `reason` is what happened, `hint` the next step, `detail` a word of error.proto to branch on."""

    code: ClassVar[error_pb2.Code.ValueType] = error_pb2.CODE_UNAVAILABLE

    def __init__(self, reason: str, hint: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.error = error_pb2.Error(code=self.code, reason=reason[:500], hint=hint[:500], detail=detail)


class Denied(Failure):
    """Outside the bounds of the grant, or the system itself forbids it."""

    code = error_pb2.CODE_DENIED


class NotFound(Failure):
    """What the call is about is not there."""

    code = error_pb2.CODE_NOT_FOUND


class Limit(Failure):
    """A limit or quota is used up; the same call will fail again."""

    code = error_pb2.CODE_LIMIT


class Unavailable(Failure):
    """Not now: a disk is full, a peer is down, or the thing changed since it was looked at (`changed`)."""

    code = error_pb2.CODE_UNAVAILABLE


class Invalid(Failure):
    """The request itself is wrong."""

    code = error_pb2.CODE_INVALID
