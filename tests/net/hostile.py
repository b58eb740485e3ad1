"""What servers do that mean harm, or are just broken: the pieces that hostile servers are made of."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from contextlib import suppress

from tests.net.world import Asked, Greets, Says, answer, raw

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 2**20
BOMB = gzip.compress(b"\0" * (32 * MIB))
# A handshake record of TLS that says it is longer than what comes.
HALF_A_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(32)


def forever(*first: bytes, then: bytes, pause_s: float = 0.0) -> Says:
    """Says this for as long as somebody listens."""

    def says(line: socket.socket, asked: Asked) -> None:
        for piece in first:
            line.sendall(piece)
        while True:
            line.sendall(then)
            time.sleep(pause_s)

    return says


def slowly(*pieces: bytes, pause_s: float = 0.05) -> Says:
    """Piece by piece, and then the end."""

    def says(line: socket.socket, asked: Asked) -> None:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(pause_s)

    return says


def silent(line: socket.socket, asked: Asked) -> None:
    """Says nothing, and waits until the other side hangs up."""
    line.recv(1)


def after(first: bytes, says: Says) -> Says:
    def both(line: socket.socket, asked: Asked) -> None:
        line.sendall(first)
        says(line, asked)

    return both


def reset(line: socket.socket, asked: Asked) -> None:
    cut(line)


def cut(line: socket.socket) -> None:
    """Hang up without a farewell, so that the other side hears a reset and not an end."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    line.close()


def mostly_frame(line: socket.socket, asked: Asked) -> None:
    """A byte at a time, each with as long an extension of its chunk as is read at all."""
    line.sendall(CHUNKED)
    with suppress(OSError):
        for _ in range(2000):
            line.sendall(b"1;" + b"x" * 16_000 + b"\r\na\r\n")


def leads(to: str = "") -> Says:
    """A redirect there; to itself where that is not said. `{n}` is the number that the request came with."""

    def says(line: socket.socket, asked: Asked) -> None:
        target = to.replace("{n}", asked.target.partition("n=")[2]) or asked.target
        answer(b"this way", "302 Found", Location=target)(line, asked)

    return says


# ---- before a request was read


def greets(*pieces: bytes, hears: int = 0, ends: bool = False) -> Greets:
    """Hears so many bytes, says this, and then waits until the other side hangs up; or `ends` with a reset."""

    def greets(line: socket.socket) -> None:
        left = hears
        while left > 0 and (piece := line.recv(left)):
            left -= len(piece)
        for piece in pieces:
            line.sendall(piece)
        if ends:
            cut(line)
            return
        while line.recv(65_536):
            pass

    return greets


def answers_before_it_has_read(line: socket.socket) -> None:
    """An answer to a body that it has seen the beginning of, and an end that lets the rest come."""
    line.recv(1024)
    line.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    line.shutdown(socket.SHUT_WR)
    while line.recv(65_536):
        pass


def deflated(content: bytes, header: bool) -> bytes:
    """As RFC 9110 has it, with the header of zlib; or without, as some servers do."""
    packs = zlib.compressobj(wbits=15 if header else -15)
    return packs.compress(content) + packs.flush()


BROKEN: dict[str, tuple[Says, str]] = {
    "no answer": (silent, "unavailable timeout"),
    "hangs up": (raw(), "unavailable reset"),
    "resets": (reset, "unavailable reset"),
    "no HTTP": (raw(b"220 mail.test ESMTP ready\r\n"), "unavailable not_http"),
    "noise": (raw(bytes(range(256)) * 16), "unavailable not_http"),
    "half a status line": (raw(b"HTTP/1.1 20"), "unavailable not_http"),
    "half a head": (raw(OK + b"X-Half: "), "unavailable not_http"),
    "half a head, then a reset": (after(OK + b"X-Half: ", reset), "unavailable reset"),
    "a head that trickles": (forever(OK, then=b"X: y\r\n", pause_s=0.05), "unavailable timeout"),
    "a head without end": (forever(OK, then=b"X-Large: " + b"x" * 60_000 + b"\r\n"), "limit too_large"),
    "a header of 100 MB": (forever(OK + b"X-Large: ", then=b"x" * 65_536), "limit too_large"),
    "1xx without end": (forever(then=b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "limit too_large"),
    "1xx that trickle": (forever(then=b"HTTP/1.1 103 Early Hints\r\n\r\n", pause_s=0.05), "unavailable timeout"),
    "many headers": (raw(OK + b"X: y\r\n" * 300 + b"Content-Length: 0\r\n\r\n"), "limit too_large"),
    "two lengths": (raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "unavailable not_http"),
    "length of minus one": (raw(OK + b"Content-Length: -1\r\n\r\nhello"), "unavailable not_http"),
    "a header with NUL": (raw(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), "unavailable not_http"),
    "another protocol": (
        raw(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "unavailable not_http",
    ),
    "less than it said": (raw(OK + b"Content-Length: 100\r\n\r\nhello"), "unavailable reset"),
    "less than it said, then a reset": (after(OK + b"Content-Length: 100\r\n\r\nhello", reset), "unavailable reset"),
    "stops in the middle": (after(OK + b"Content-Length: 100\r\n\r\n", silent), "unavailable timeout"),
    "a chunk that lies": (raw(CHUNKED + b"zz\r\nhello"), "unavailable reset"),
    "a chunk of minus five": (raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"), "unavailable reset"),
    "a chunk of a size beyond all": (raw(CHUNKED + b"f" * 30 + b"\r\nhello"), "unavailable reset"),
    "half a chunk, then a reset": (after(CHUNKED + b"ff\r\nhello", reset), "unavailable reset"),
    "chunks without end": (raw(CHUNKED + b"5\r\nhello\r\n"), "unavailable reset"),
    "no gzip": (answer(b"this is no gzip", Content_Encoding="gzip"), "unavailable not_http"),
    "no deflate": (answer(b"\xffthis is none", Content_Encoding="deflate"), "unavailable not_http"),
    "half a gzip": (answer(gzip.compress(b"x" * 1000)[:-12], Content_Encoding="gzip"), "unavailable reset"),
    "half a deflate": (answer(deflated(b"x" * 999, True)[:-6], Content_Encoding="deflate"), "unavailable reset"),
    "trailers without end": (forever(CHUNKED, b"0\r\n", then=b"X: " + b"y" * 60_000), "unavailable reset"),
}  # fmt: skip
