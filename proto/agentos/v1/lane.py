"""The lane between the kernel and a capability server: what goes over it, written and read alike on both sides.

A server that the kernel starts inherits one end of a pair of Unix sockets. If it says in Describe that it takes calls
there, the kernel sends them so, many at once, and they are answered in any order: the way of the small calls, for which
gRPC costs more than all the rest. Numbers are big-endian, and each frame begins with the length of what follows it, in
4 bytes:

* a call: its number (8 bytes), its seal (32), the length of its method (2) and of its context (4), then the method as
  gRPC spells it, the serialised CallContext and the serialised request. It is sealed as any other call (`seal`).
* a number alone: nobody waits for that call any more. It is still answered.
* an answer: the number of its call, one byte, and then what that says: 0 the serialised response, 1 an Error.

A number is used once. A call whose request is larger than `MOST_REQUEST` goes over gRPC: it would hold up the small
ones behind it. Whoever says anything else is not what it should be, and the lane ends: a BadFrame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from agentos.v1 import seal

REPLY: Final = 0
ERROR: Final = 1

LENGTH_BYTES: Final = 4
NUMBER: Final = struct.Struct(">Q")
MOST_REQUEST: Final = 256 << 10
_CALL: Final = struct.Struct(">IQ32sHI")
_CALL_HEAD: Final = struct.Struct(">Q32sHI")
_ANSWER: Final = struct.Struct(">IQB")
_ANSWER_HEAD: Final = struct.Struct(">QB")
_MOST_METHOD: Final = 512
# The least and the most that a frame may be, its length aside.
CALLS: Final = NUMBER.size, _CALL_HEAD.size + _MOST_METHOD + seal.CONTEXT_BYTES + MOST_REQUEST
ANSWERS: Final = _ANSWER_HEAD.size, _ANSWER_HEAD.size + seal.REPLY_BYTES


class BadFrame(ValueError):
    """The other side sent what it never sends: end it."""


def call(number: int, mark: bytes, method: str, context: bytes, request: bytes) -> bytes:
    """A call as a frame. It may be sent if `fits` says so."""
    name = method.encode()
    length = _CALL_HEAD.size + len(name) + len(context) + len(request)
    return b"".join((_CALL.pack(length, number, mark, len(name), len(context)), name, context, request))


def fits(request: bytes) -> bool:
    return len(request) <= MOST_REQUEST


def given_up(number: int) -> bytes:
    """Says that nobody waits for this call any more."""
    return NUMBER.size.to_bytes(LENGTH_BYTES, "big") + NUMBER.pack(number)


def read_call(frame: bytes) -> tuple[int, bytes, str, bytes, bytes]:
    """Number, seal, method, context and request of a call; the last four are empty where it was given up."""
    if len(frame) == NUMBER.size:
        return int.from_bytes(frame, "big"), b"", "", b"", b""
    if len(frame) < _CALL_HEAD.size:
        raise BadFrame("no such frame")
    number, mark, name, told = _CALL_HEAD.unpack_from(frame)
    context_at = _CALL_HEAD.size + name
    request_at = context_at + told
    if not name or request_at > len(frame):
        raise BadFrame("a part is longer than the whole")
    try:
        method = frame[_CALL_HEAD.size : context_at].decode()
    except UnicodeDecodeError:
        raise BadFrame("no such method") from None
    return number, mark, method, frame[context_at:request_at], frame[request_at:]


def answer(number: int, kind: int, body: bytes) -> bytes:
    """An answer as a frame."""
    return _ANSWER.pack(_ANSWER_HEAD.size + len(body), number, kind) + body


def read_answer(frame: bytes) -> tuple[int, int, bytes]:
    """The number of its call, its kind, and what it says."""
    number, kind = _ANSWER_HEAD.unpack_from(frame)
    if kind not in (REPLY, ERROR):
        raise BadFrame("no such answer")
    return number, kind, frame[_ANSWER_HEAD.size :]


class Frames:
    """One side's ear: bytes in, whole frames out. It holds less than one frame and what came last."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._held = bytearray()

    def feed(self, portion: bytes) -> Iterator[bytes]:
        """The frames that are whole now, without their lengths. Raises BadFrame as soon as a length is none."""
        held, at = self._held, 0
        held += portion
        while len(held) - at >= LENGTH_BYTES:
            length = int.from_bytes(held[at : at + LENGTH_BYTES], "big")
            if not self._least <= length <= self._most:
                raise BadFrame("no such length")
            end = at + LENGTH_BYTES + length
            if len(held) < end:
                break
            yield bytes(memoryview(held)[at + LENGTH_BYTES : end])
            at = end
        del held[:at]
