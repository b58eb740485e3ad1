"""One reading of a message: our own versioned encoding, and the digest of a call made of it.

protobuf's serialisation is not canonical (maps, unknown fields, two versions of the library), so a digest that a
person's answer is bound to cannot stand on it. Version 1: for each set field in the order of its number, the
number, then the value; every value is preceded by one letter for its kind and, where it has no fixed size, by its
length as 8 bytes big-endian. Fields with their default value are absent, unknown fields are an error.
"""

from __future__ import annotations

import hashlib
import struct

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from agentos.home.records import Targets

DOMAIN = b"agentos.call.v1"


def framed(*parts: bytes) -> bytes:
    """The parts, each preceded by its length: no two different lists give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def encode(message: Message) -> bytes:
    """The canonical bytes of a message whose fields are scalars, messages, or lists of them."""
    parts: list[bytes] = []
    for field, value in sorted(message.ListFields(), key=lambda item: item[0].number):
        values = list(value) if field.is_repeated else [value]
        parts.append(struct.pack(">IQ", field.number, len(values)))
        parts.extend(_value(field, item) for item in values)
    return b"".join(parts)


def _value(field: FieldDescriptor, value: object) -> bytes:
    match value:
        case Message():
            return b"m" + framed(encode(value))
        case str():
            return b"s" + framed(value.encode())
        case bytes():
            return b"b" + framed(value)
        case bool():
            return b"t" if value else b"f"
        case int():
            return b"i" + value.to_bytes(16, "big", signed=True)
        case float():
            return b"d" + struct.pack(">d", value)
    raise TypeError(f"{field.full_name} has no canonical form")


def call_digest(action: str, request: Message, targets: Targets) -> str:
    """Hex SHA-256 of what a call is: its action, its canonical request and its resolved targets."""
    named = [part.encode() for target in targets for part in target]
    return hashlib.sha256(framed(DOMAIN, action.encode(), encode(request), *named)).hexdigest()
