"""The body of an answer, read on as it is asked for: one reply carries at most 1 MiB of it."""

from __future__ import annotations

import contextlib
import io
from base64 import b64decode

from agentos.sdk import wire
from agentos.sdk.calls import Reply
from agentos.sdk.errors import AgentError, LimitExceeded


class Body:
    """Hands out a body piece by piece, or whole. One that was cut off at its limit never ends as if it were whole."""

    def __init__(self, reply: Reply) -> None:
        self._piece = b64decode(reply.get("body", ""))
        self._handle = reply.get("handle", "")
        self._cut = bool(reply.get("cut", False))
        self.begun = False
        """Whether pieces of it were handed out."""

    @property
    def known(self) -> int | None:
        """How long it is, where all of it has come."""
        return None if self._handle or self._cut else len(self._piece)

    def piece(self, length: int = 0) -> bytes:
        """The next piece, of at most `length` bytes where one is given; empty at the end.

        LimitExceeded after the last piece of a body that was cut off.
        """
        self.begun = True
        while not self._piece and self._handle:
            self._read_on()
        if not self._piece and self._cut:
            raise LimitExceeded(
                "the body is longer than what may be received, and was cut off",
                "ask for less of it, or raise `most` and the manifest's `received`",
                "too_large",
            )
        taken = self._piece[: length or None]
        self._piece = self._piece[len(taken) :]
        return taken

    def whole(self) -> bytes:
        """All of it, or LimitExceeded. What came before an error is kept for the next try."""
        pieces: list[bytes] = []
        try:
            while piece := self.piece():
                pieces.append(piece)
        except AgentError:
            self._piece, self.begun = b"".join(pieces), False
            raise
        return b"".join(pieces)

    def close(self) -> None:
        """Hang up; what was not read is given up."""
        handle, self._handle, self._piece, self._cut = self._handle, "", b"", False
        if handle:
            with contextlib.suppress(AgentError):  # the server gives it up by itself, later
                wire.call("net.close", {"handle": handle})

    def _read_on(self) -> None:
        """As much as one reply carries, however little is asked for: a call costs more than memory."""
        reply = wire.call("net.read", {"handle": self._handle})
        self._piece = b64decode(reply.get("data", ""))
        self._cut = bool(reply.get("cut", False))
        if reply.get("end") or self._cut:
            self._handle = ""


class Stream(io.RawIOBase):
    """A body as a file that is read once, from the beginning to the end."""

    decode_content = True  # urllib3 has it; what came compressed is decoded already

    def __init__(self, body: Body, head: bytes = b"") -> None:
        self._body, self._head = body, head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        piece = piece or self._body.piece(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        head, self._head = self._head, b""
        return head + self._body.whole()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._body.close()
