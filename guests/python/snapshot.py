"""The memory inside a component that was built: read, changed, written back. Used by build.py, and only there.

componentize-py runs our Python until everything is imported and puts the memory as it is then into the component, as
the data of its first module. `lasting.py` left word in that memory of all objects that were alive; here each of them
gets the reference count of an immortal object, and is from then on never written to for being looked at.

Nothing is taken on trust. The counts and types of all objects must look like counts and types; else the layout of
objects is another than this was written for, and nothing is built.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

MARK = b"agentos lasting:"
MODULE, DATA = 1, 11
IMMORTAL, LEAST_IMMORTAL, MOST_MORTAL = 5 << 28, 1 << 30, 1 << 28
# Shorter runs of zeros are written out: a segment costs some bytes as well.
GAP = 64
NOT_ZERO = re.compile(b"[^\\0]")


class NotAsExpected(Exception):
    """The component is built in another way than this module knows."""


def immortalised(component: bytes) -> tuple[bytes, int]:
    """The component with all lasting objects immortal, and how many those are."""
    parts, count = [component[:8]], 0
    for section, content in _sections(component):
        holds = section == MODULE and MARK in content
        module, count = _module(content) if holds else (content, count)
        parts.append(_section(section, module))
    if not count:
        raise NotAsExpected("no module has the list of lasting objects")
    return b"".join(parts), count


def _module(module: bytes) -> tuple[bytes, int]:
    parts, count = [module[:8]], 0
    for section, content in _sections(module):
        data = content
        if section == DATA:
            memory, start = _memory(content)
            count = _immortalise(memory)
            data = _segments(memory, start)
        parts.append(_section(section, data))
    return b"".join(parts), count


def _immortalise(memory: bytearray) -> int:
    """Raise the reference counts of the lasting objects; how many they are."""
    addresses, none = _listed(memory)
    known = set(addresses)
    if _word(memory, none) < LEAST_IMMORTAL:
        raise NotAsExpected("not even None is immortal")
    for address in addresses:
        count, kind = struct.unpack_from("<II", memory, address)
        if not (0 < count < MOST_MORTAL or count >= LEAST_IMMORTAL):
            raise NotAsExpected(f"what lies at {address:#x} has {count} references")
        if kind not in known and _word(memory, kind) < LEAST_IMMORTAL:
            raise NotAsExpected(f"what lies at {address:#x} is of no known type")
        if count < LEAST_IMMORTAL:
            struct.pack_into("<I", memory, address, IMMORTAL)
    return len(addresses)


def _listed(memory: bytearray) -> tuple[tuple[int, ...], int]:
    """The addresses that lasting.py wrote down, and that of None. A list has its size at 8 and its items at 12."""
    at = -1
    while (at := memory.find(MARK, at + 1)) >= 0:
        kept, count, none = struct.unpack_from("<III", memory, at + len(MARK))
        if count and kept + 16 <= len(memory) and _word(memory, kept + 8) == count:
            return struct.unpack_from(f"<{count}I", memory, _word(memory, kept + 12)), none
    raise NotAsExpected("the list of lasting objects is not there")


def _word(memory: bytearray, address: int) -> int:
    return int(struct.unpack_from("<I", memory, address)[0])


def _memory(data: bytes) -> tuple[bytearray, int]:
    """A module's memory as its data section fills it, and where it begins."""
    count, at = number(data, 0)
    memory, start = bytearray(), len(data) << 8
    for _ in range(count):
        kind, at = number(data, at)
        if kind != 0 or data[at] != 0x41:  # into memory 0, from a constant
            raise NotAsExpected("a segment of data has no fixed place")
        place, at = _signed(data, at + 1)
        size, at = number(data, at + 1)
        memory.extend(bytes(max(place + size - len(memory), 0)))
        memory[place : place + size] = data[at : at + size]
        start, at = min(start, place), at + size
    return memory, start


def _segments(memory: bytearray, start: int) -> bytes:
    """The data section that fills memory like this."""
    found = [
        b"\0\x41" + _of_signed(place) + b"\x0b" + _of(len(piece)) + piece for place, piece in _pieces(memory, start)
    ]
    return b"".join([_of(len(found)), *found])


def _pieces(memory: bytearray, start: int) -> Iterator[tuple[int, bytes]]:
    """What is not zero, in pieces with as good as no zeros between them."""
    gap = bytes(GAP)
    while start < len(memory):
        end = memory.find(gap, start)
        end = len(memory) if end < 0 else end
        if end > start:
            yield start, bytes(memory[start:end])
        after = NOT_ZERO.search(memory, end)
        start = after.start() if after else len(memory)


def _sections(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 8
    while at < len(content):
        size, begin = number(content, at + 1)
        yield content[at], content[begin : begin + size]
        at = begin + size


def _section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + _of(len(content)) + content


def number(content: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte, at = content[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _signed(content: bytes, at: int) -> tuple[int, int]:
    value, end = number(content, at)
    return value - (1 << 7 * (end - at)) if content[end - 1] & 0x40 else value, end


def _of(value: int) -> bytes:
    held = bytearray()
    while value > 0x7F:
        held.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*held, value])


def _of_signed(value: int) -> bytes:
    """Of a number that is not negative: one that would look so gets a zero in front."""
    held = _of(value)
    return held if held[-1] < 0x40 else held[:-1] + bytes([held[-1] | 0x80, 0])
