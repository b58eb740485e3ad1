"""MessagePack, read: https://github.com/msgpack/msgpack/blob/master/spec.md. As much of it as a journal has."""

from __future__ import annotations

import struct

Value = object
MAX_DEPTH = 32
# The first byte, and how the number after it is packed.
NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
BINARY = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
TEXT = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
LISTS = {0xDC: ">H", 0xDD: ">I"}
MAPS = {0xDE: ">H", 0xDF: ">I"}
PLAIN: dict[int, Value] = {0xC0: None, 0xC2: False, 0xC3: True}


def decoded(raw: bytes) -> Value:
    """One value, and nothing after it. Lists are tuples, so that one can be the key of a map. Raises ValueError."""
    reader = _Reader(raw)
    try:
        value = reader.value(0)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError):
        raise ValueError("this is no MessagePack") from None
    if reader.at != len(raw):
        raise ValueError("something follows the value")
    return value


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        first = self._take(1)[0]
        if first < 0x80 or first >= 0xE0:
            return first if first < 0x80 else first - 0x100
        if first in PLAIN:
            return PLAIN[first]
        if first in NUMBERS:
            return self._number(NUMBERS[first])
        if first in BINARY:
            return self._take(self._count(BINARY[first]))
        if first in TEXT or 0xA0 <= first < 0xC0:
            return self._take(self._count(TEXT[first]) if first in TEXT else first & 0x1F).decode()
        if first in LISTS or 0x90 <= first < 0xA0:
            size = self._count(LISTS[first]) if first in LISTS else first & 0x0F
            return tuple(self.value(depth + 1) for _ in range(size))
        if first in MAPS or 0x80 <= first < 0x90:
            size = self._count(MAPS[first]) if first in MAPS else first & 0x0F
            return {self.value(depth + 1): self.value(depth + 1) for _ in range(size)}
        raise ValueError(f"0x{first:02x} begins no value")

    def _take(self, size: int) -> bytes:
        piece = self.raw[self.at : self.at + size]
        if len(piece) != size:
            raise ValueError("it ends too soon")
        self.at += size
        return piece

    def _number(self, form: str) -> Value:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _count(self, form: str) -> int:
        return int(str(self._number(form)))
