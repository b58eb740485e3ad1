"""Headers of a request, made and checked; headers of an answer, as a program gets them.

Which headers a program may send is said in `agentos.v1.headers`; what frames a message is ours alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentos.capabilities.failure import Invalid, Limit
from agentos.v1 import annotations_pb2, headers
from agentos.v1 import net_pb2 as pb

Fields = list[tuple[bytes, bytes]]

# Of an answer: what framed the message that we took apart.
_FRAMING = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"))
_DECODED = frozenset((b"content-encoding", b"content-length"))
# The same list that manifests and calls are held to.
_METHODS = frozenset(
    pb.NetFetchRequest.DESCRIPTOR.fields_by_name["method"].GetOptions().Extensions[annotations_pb2.field].among
)
# Methods whose request has a body by its meaning, so that an empty one is said to be empty.
_WITH_BODY = ("POST", "PUT", "PATCH")


def method(name: str) -> bytes:
    """One of the methods that there are. Raises Invalid: CONNECT would make a tunnel of the connection."""
    if name not in _METHODS:
        raise Invalid("not a method that can be used here", "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    return name.encode()


def sent(given: Iterable[pb.NetHeader], verb: bytes, host: str, body: bytes) -> Fields:
    """All headers of a request, ours first. `host` is what stands in Host. Raises Invalid, Limit."""
    written = [_field(each) for each in given]
    names = {name.lower() for name, _ in written}
    if headers.too_many(written):
        raise Limit("more than 64 headers, or more than 32 KiB of them", "send what is long as the body", "too_large")
    # A part of what is compressed cannot be unpacked.
    packing = b"identity" if b"range" in names else b"gzip, deflate"
    ours: Fields = [(b"Host", host.encode()), (b"Accept-Encoding", packing), (b"Connection", b"close")]
    ours += [(name, value) for name, value in _usual if name.lower() not in names]
    if body or verb.decode() in _WITH_BODY:
        ours.append((b"Content-Length", str(len(body)).encode()))
    return ours + written


_usual: Fields = [(b"Accept", b"*/*"), (b"User-Agent", b"agentos")]


def _field(given: pb.NetHeader) -> tuple[bytes, bytes]:
    try:
        return headers.field(given.name, given.value)
    except headers.BadHeader as bad:
        raise Invalid(bad.reason, bad.hint, "bad_name") from None


def host(name: str, scheme: str, port: str) -> str:
    """What stands in Host: without a port where it goes without saying."""
    bare = f"[{name}]" if ":" in name else name
    return bare if port == {"https": "443", "http": "80"}[scheme] else f"{bare}:{port}"


def came(fields: Fields, *, decoded: bool) -> list[pb.NetHeader]:
    """The headers of an answer for the program: as they came, but for those that no longer hold."""
    left_out = _FRAMING | (_DECODED if decoded else frozenset())
    return [
        pb.NetHeader(name=name.decode("latin-1"), value=value.decode("latin-1"))
        for name, value in fields
        if name.lower() not in left_out and not name.lower().startswith(headers.PROXY.encode())
    ]


def closed(fields: Fields, verb: bytes, status: int) -> bool:
    """Whether the body is encoded in any way, so that what we do not unpack nobody here can read."""
    codings = [value.strip().lower() for name, value in fields if name.lower() == b"content-encoding"]
    return any(coding not in (b"", b"identity") for coding in codings) and verb != b"HEAD" and status not in (204, 304)


def packed(fields: Fields, verb: bytes, status: int) -> bytes:
    """How the body is compressed, where we asked for that and unpack it: gzip or deflate, once, and whole."""
    codings = [
        coding.strip().lower() for name, v in fields if name.lower() == b"content-encoding" for coding in v.split(b",")
    ]
    if len(codings) != 1 or verb == b"HEAD" or status in (204, 206, 304):
        return b""
    return {b"gzip": b"gzip", b"x-gzip": b"gzip", b"deflate": b"deflate"}.get(codings[0], b"")
