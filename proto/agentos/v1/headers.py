"""Headers that a program may send, read alike by the server that sends them and by the kit that programs are tried in.

What frames a message or says who is spoken to is not a program's: two parties that read the length or the host of a
message differently is how requests are smuggled. So a program that sets one of these is refused, not corrected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 64
MOST_BYTES = 32 * 2**10

_OURS = frozenset(
    (
        *("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive"),
        *("accept-encoding", "expect", "http2-settings"),
    )
)
# With these some servers take another method, host or path than the ones that were decided on.
_INSTEAD = frozenset(
    (
        *("x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"),
        *("x-original-host", "x-forwarded-host", "x-forwarded-server", "x-host", "forwarded"),
    )
)
PROXY = "proxy-"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # a token, RFC 9110, 5.6.2


class BadHeader(Exception):
    """A header that no program may send: what is wrong with it, and what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def field(name: str, value: str) -> tuple[bytes, bytes]:
    """One header as it goes out. Raises BadHeader."""
    if not _NAME.fullmatch(name):
        raise BadHeader("the name of a header is letters, digits and hyphens", "see the name of each header")
    read_as = name.lower().replace("_", "-")  # as CGI and what came of it reads it
    if read_as in _OURS or read_as.startswith(PROXY):
        raise BadHeader(f"{name} is set by the system", "leave it out")
    if read_as in _INSTEAD:
        raise BadHeader(f"{name} may ask for something else than the call says", "ask for that itself")
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        raise BadHeader(f"{name} has characters beyond Latin-1", "encode its value first") from None
    if any((byte < 32 and byte != 9) or byte == 127 for byte in raw):
        raise BadHeader(f"{name} has a line break or another control character", "take it out")
    if value != value.strip(" \t"):
        raise BadHeader(f"{name} begins or ends with white space", "strip its value")
    return name.encode(), raw


def too_many(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether these are more, or longer, than one request may have."""
    sizes = [len(name) + len(value) + 4 for name, value in fields]
    return len(sizes) > MOST or sum(sizes) > MOST_BYTES
