"""Which memory a run touches: found by playing one when the zygote starts, and made ready in each cell ahead.

Theory of operation. A cell is forked, so its memory is at first that of the zygote: the first write to a page copies
it, and the first look at a page of code has to find it. Each such fault costs some microseconds, and a program met four
hundred of them before its first line. Which pages those are hardly depends on the program. So a zygote that is about to
begin forks a cell that compiles a program and another that runs it, and reads from the page map of that one what was
copied and what was found when it was over. Every cell then asks for the same pages before it offers itself. What few
programs touch is not worth asking for, since it is copied for all of them: the program defines some dozens of names,
reads a file, prints and has a result.

The rehearsal comes before the zygote's walls, since a page map has to be opened; the two cells stand behind their own.
Only our own guest is rehearsed, with a program that is written here. Where there is no page map, or nothing comes of
it, cells are slower and no different.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

from agentos.kernel.cells import cell, frames, guest
from agentos.kernel.cells.cell import Nest
from agentos.kernel.cells.profiles import PIDFD_SELF
from agentos.kernel.cells.syscalls import syscall

NAME: Final = "rehearsal.py"
PROGRAM: Final = (
    "".join(f"def name_{n}(given_{n}):\n    return given_{n}, 'text {n}'\n" for n in range(30))
    + """
with open("some.txt") as some:
    print(len(some.read()))
result = [1, "text"]
"""
)
"""Each new name goes into the guest's table of them, wherever its hash says. Then comes what most programs do."""

TOLD: Final[dict[str, str | list[str]]] = {
    "input": "",
    "start_folder": "/home/me",
    "home_folder": "/home/me",
}
LIMITS: Final = frames.LIMITS.pack(256 << 20, 10)
READ: Final = json.dumps({"results": [{"value": {"text": "text\n" * 200, "size": "1000", "version": "1"}}]}).encode()

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
LARGEST: Final = 1 << 30
STACK: Final = 512 << 10
HEAP: Final = 512 << 10
_PRESENT, _OF_A_FILE, _NOBODY_ELSES = 1 << 63, 1 << 61, 1 << 56
_POPULATE_READ, _POPULATE_WRITE = 22, 23
_M_TOP_PAD: Final = -2

_libc = ctypes.CDLL(None)
_libc.madvise.argtypes = (ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int)


class Range(NamedTuple):
    """So many bytes of memory from here on."""

    at: int
    size: int


class Pages(NamedTuple):
    """What a run wrote to; what it only looked at, where a fork passes that on; and its code, where a fork does not."""

    written: tuple[Range, ...] = ()
    seen: tuple[Range, ...] = ()
    code: tuple[Range, ...] = ()

    def without(self, others: Pages) -> Pages:
        """Those that are not among the others."""
        return Pages(
            *(tuple(_ranges(sorted(_pages(mine) - _pages(theirs)))) for mine, theirs in zip(self, others, strict=True))
        )


def prepared(pages: Pages) -> Callable[[], None]:
    """In the zygote: have in place what a fork passes on. Returns what gives a cell its own copies, and its code."""
    written, code = _Asked(pages.written, _POPULATE_WRITE), _Asked(pages.code, _POPULATE_READ)
    _Asked(pages.seen, _POPULATE_READ).ask()

    def make_ready() -> None:
        written.ask()
        code.ask()

    return make_ready


class _Asked:
    """Ranges as one system call takes them: the hundreds of calls for one each took longer than all the copying."""

    def __init__(self, ranges: Sequence[Range], how: int) -> None:
        self._ranges, self._how = ranges, how
        packed = struct.pack(f"={2 * len(ranges)}Q", *(number for each in ranges for number in each))
        self._vector = ctypes.create_string_buffer(packed, len(packed))

    def ask(self) -> None:
        """Where memory is short it is done when it is needed; older systems take one range at a time, or none."""
        try:
            syscall("process_madvise", PIDFD_SELF, self._vector, len(self._ranges), self._how, 0)
        except OSError:
            all(_libc.madvise(*each, self._how) == 0 for each in self._ranges)


class _Place(NamedTuple):
    """One mapping of this process."""

    start: int
    end: int
    writable: bool
    name: str


def rehearse(nest: Nest) -> Pages:
    """Play a program to its end, and find what it touched."""
    with suppress(OSError, EOFError, ValueError, KeyError):
        _make_room()
        compiled, _ = _play(nest, guest.to_compile(PROGRAM, NAME))
        code = guest.letters(compiled["code"])
        touched = _play(nest, guest.to_load(code, PROGRAM.encode()))[1]
        return touched.without(_play(nest, "")[1])
    return Pages()


def _make_room() -> None:
    """Let stack and heap be as large as a run needs, so that their pages can be asked for ahead."""
    _libc.mallopt(_M_TOP_PAD, HEAP)
    room = [bytes(64 << 10) for _ in range(2 * HEAP >> 16)]
    room.clear()
    stack = next((place for place in _places() if place.name == "[stack]"), None)
    if stack:
        ctypes.memset(stack.end - STACK, 0, 1)


def _play(nest: Nest, request: str) -> tuple[dict[str, str], Pages]:
    """One run in a cell of its own: its reply, and what it had touched at its end. With no request nothing is run.

    A page that this process writes to after the fork is left to the cell alone, and looks as if the cell had copied it.
    So a third process is the kernel to that cell, and what is found where nothing was run does not count.
    """
    ours, theirs = socket.socketpair()
    heard, told = os.pipe()
    acting = os.fork()
    if acting == 0:
        _act(theirs.fileno(), nest, bool(request))
    watching = os.fork()
    if watching == 0:
        theirs.close()
        _watch(ours, told, request, acting)
    ours.close()
    theirs.close()
    os.close(told)
    with open(heard, "rb") as end:
        said = end.read()
    os.waitpid(acting, 0)
    os.waitpid(watching, 0)
    reply, touched = json.loads(said)
    return reply, Pages(*(tuple(Range(*each) for each in ranges) for ranges in touched))


def _act(line: int, nest: Nest, run: bool) -> NoReturn:
    """Be a cell in all respects, but that the watcher is told before its end, and waited for."""
    try:
        if run:
            nest.walls.put_on([line, *nest.keep])
            cell.serve(_Watched(line), nest)
        else:
            _Watched(line).send(b"E", b"\n{}")
    finally:
        os._exit(0)


class _Watched(cell.Line):
    def send(self, kind: bytes, body: bytes) -> None:
        if kind in b"ET":
            super().send(b"P", b"")
            self.receive(b"R")
        super().send(kind, body)


def _watch(line: socket.socket, told: int, request: str, acting: int) -> NoReturn:
    """Say what the kernel would say to a cell, with the same answer to each call; look at its pages before it ends."""
    touched, reply = Pages(), b""
    try:
        places = tuple(_places())
        while not reply:
            head = _exactly(line, frames.HEAD_BYTES)
            kind, body = head[4:], _exactly(line, frames.header(head, b"WIETP"))
            if kind == b"W":
                given = guest.to_tell(TOLD).encode()
                start = frames.pack(b"S", LIMITS + request.encode())
                line.sendall(start + frames.pack(b"K", given) + frames.pack(b"G", b""))
            elif kind == b"P":
                touched = _touched(acting, places)
                line.sendall(frames.pack(b"R", b""))
            elif kind == b"I":
                line.sendall(frames.pack(b"R", READ))
            else:
                reply = body.partition(b"\n")[2]
        with open(told, "wb") as end:
            end.write(b"[%b,%b]" % (reply, json.dumps(touched).encode()))
    finally:
        os._exit(0)


def _exactly(line: socket.socket, count: int) -> bytes:
    held = bytearray()
    while len(held) < count:
        portion = line.recv(count - len(held))
        if not portion:
            raise EOFError
        held += portion
    return bytes(held)


def _places() -> Iterator[_Place]:
    """What is mapped and can be read, but for what the kernel maps itself."""
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            between, rights, _, _, _, *name = line.split(maxsplit=5)
            start, end = (int(word, 16) for word in between.split("-"))
            if rights[0] == "r" and end - start <= LARGEST and "[v" not in line:
                yield _Place(start, end, rights[1] == "w", "".join(name).strip())


def _touched(pid: int, places: Sequence[_Place]) -> Pages:
    written: list[int] = []
    seen: list[int] = []
    code: list[int] = []
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as page_map:
        for place in places:
            first = place.start // PAGE
            page_map.seek(first * 8)
            entries = struct.iter_unpack("=Q", page_map.read((place.end - place.start) // PAGE * 8))
            for page, (entry,) in enumerate(entries, first):
                if entry & _PRESENT and entry & _OF_A_FILE:
                    (seen if place.writable else code).append(page)
                elif entry & _PRESENT and entry & _NOBODY_ELSES:
                    written.append(page)
    return Pages(*(tuple(_ranges(pages)) for pages in (written, seen, code)))


def _pages(ranges: Iterable[Range]) -> set[int]:
    return {page for each in ranges for page in range(each.at // PAGE, (each.at + each.size) // PAGE)}


def _ranges(pages: list[int]) -> Iterator[Range]:
    """Pages in order, as ranges."""
    start = 0
    for number, page in enumerate(pages, 1):
        if number == len(pages) or pages[number] != page + 1:
            yield Range(pages[start] * PAGE, (number - start) * PAGE)
            start = number
