"""The spool: events that come while the home is locked, sealed for a key that is not here, and handed over once it is.

    spool/to              the public key to seal for, in hex; each start with the key sees to it that it is its own
    spool/NUMBER-DIGEST   one event, sealed (X25519, an ephemeral key each; libsodium's sealed box), 0600; the digest is
                          over its id, the numbers are the order in which they came
    spool/….unread        what could not be opened, put aside

Whoever takes an event in has it on disk before it says so. With the key here, each goes to the queue of events, in
order, and its file goes when the journal holds the event on disk. Cut off in between, the next start finds the id in
the journal, however long ago that was, and hands over nothing: so an event is taken in once, however often it is
sent, and however often an old file is put back. Where the queue has no room the files stay, and are tried again.

A sealed box says nothing of who sealed it. Whoever can write into the home's folder can put events there, as whoever
has the control service's credential can; an event carries no authority. What cannot be opened was altered, or sealed
for another home: that is recorded, so that nothing that was acknowledged is missing in silence, and kept beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import Awaitable, Callable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import msgspec
from nacl import bindings, exceptions

from agentos.home import folder
from agentos.home.home import Home
from agentos.home.journal import Journal, JournalBroken, JournalFull
from agentos.home.keys import HomeError
from agentos.home.refusal import Refusal
from agentos.home.schema import UNREAD

MAX_EVENTS = 4096
MAX_BYTES = 32 << 20
MOST_NAMED = 16
AT_ONCE = 256
AGAIN_S = 10.0
FILE = re.compile(r"\d{12,}-[0-9a-f]{32}")
# How an event is kept in the journal, and what the queue says where it has no room.
HAPPENED, NO_ROOM = "event", "queue_full"
KEY_LETTERS = 64


class Sealed(msgspec.Struct, frozen=True):
    """What is in a file. `data` is JSON; `at_ms` is when it came, by the clock of the machine that took it in."""

    id: str
    name: str
    data: str
    at_ms: int


Take = Callable[[str, str, str, int], Awaitable[object]]
"""Takes an event in, by name, data, id and time; returns when it is on disk. Raises Refusal where it cannot."""


def public(path: Path) -> bytes | None:
    """The key to seal for; None where there is none yet."""
    try:
        return bytes.fromhex(_content(path / "to", KEY_LETTERS).decode("ascii"))
    except (OSError, ValueError):
        return None


def files(path: Path) -> list[Path]:
    """Of a spool, oldest first."""
    found = (file for file in path.iterdir() if FILE.fullmatch(file.name))
    return sorted(found, key=lambda file: int(file.name.partition("-")[0]))


def digest(event: str) -> str:
    return blake2b(event.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _content(file: Path, most: int) -> bytes:
    """Of a file that is one, and not larger. Raises OSError, ValueError."""
    # Nothing that somebody put there keeps us: neither a pipe nor a link to somewhere.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError
        content = opened.read(most + 1)
    if len(content) > most:
        raise ValueError
    return content


# Locked.


class Spool:
    """The spool of one home, for whoever holds the home."""

    def __init__(self, home: Path) -> None:
        self.path = home / "spool"
        self.path.mkdir(mode=0o700, exist_ok=True)
        folder.private(self.path)
        found = files(self.path)
        self._held = {file.name.partition("-")[2] for file in found}
        self._next = int(found[-1].name.partition("-")[0]) + 1 if found else 1
        self._bytes = sum(file.lstat().st_size for file in found)

    @property
    def count(self) -> int:
        return len(self._held)

    def seal(self, new: Sealed) -> bool:
        """Keep an event until the key is here: True once it is on disk, False where it was. Raises HomeError."""
        name = digest(new.id)
        if name in self._held:
            return False
        try:
            sealed = bindings.crypto_box_seal(msgspec.json.encode(new), public(self.path) or b"")
        except (exceptions.CryptoError, exceptions.TypeError, exceptions.ValueError, exceptions.RuntimeError):
            hint = "unlock it once: agentos unlock"
            raise HomeError("unavailable", "this home has no key for events yet", hint) from None
        if self.count >= MAX_EVENTS or self._bytes + len(sealed) > MAX_BYTES:
            hint = "unlock the home, which takes them in: agentos unlock"
            raise HomeError("limit", f"{self.count} events wait for the key already", hint)
        try:
            _kept(self.path / f"{self._next:012}-{name}", sealed)
        except OSError:
            reason = "the event cannot be kept: the disk is full, or failed"
            raise HomeError("unavailable", reason, "make room") from None
        self._held.add(name)
        self._next, self._bytes = self._next + 1, self._bytes + len(sealed)
        return True


def _kept(path: Path, sealed: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder.sync(path.parent)


# Unlocked.


class Handover:
    """What lies sealed, on its way to the queue of events."""

    def __init__(self, home: Home, journal: Journal, take: Take) -> None:
        self._journal, self._take = journal, take
        self.path = Spool(home.path).path
        self._public, self._private = bindings.crypto_box_seed_keypair(home.keys.events)
        self._held_up = False
        self._unread: list[Path] = []
        if public(self.path) != self._public:
            folder.write(self.path / "to", self._public.hex())

    async def all(self) -> bool:
        """Hand over what there is; False where some of it has to wait. Raises JournalBroken."""
        self._held_up, self._unread = False, []
        waiting = iter(files(self.path))
        while not self._held_up and (some := list(islice(waiting, AT_ONCE))):
            # Each gets as far as its record before the next begins; then they wait for the disk together.
            await asyncio.gather(*(self._one(file) for file in some))
        with contextlib.suppress(JournalFull):
            await self._put_aside()
        folder.sync(self.path)
        return not self._held_up

    async def go_on(self) -> None:
        """The same, until all of it is handed over."""
        with contextlib.suppress(JournalBroken):  # which ends the kernel
            while not await self.all():  # noqa: ASYNC110  nothing tells that there is room again
                await asyncio.sleep(AGAIN_S)

    async def _one(self, file: Path) -> None:
        if self._held_up:  # what came later does not overtake
            return
        try:
            found = self._opened(file)
            if found is None or not await self._taken(found):
                self._unread.append(file)
            else:
                os.unlink(file)
        except (OSError, JournalFull):
            self._held_up = True

    def _opened(self, file: Path) -> Sealed | None:
        try:
            if not stat.S_ISREG(file.lstat().st_mode):
                return None
            plain = bindings.crypto_box_seal_open(_content(file, MAX_BYTES), self._public, self._private)
            found = msgspec.json.decode(plain, type=Sealed)
        except (exceptions.CryptoError, exceptions.TypeError, ValueError, msgspec.DecodeError, RecursionError):
            return None
        return found if file.name.endswith(f"-{digest(found.id)}") else None

    async def _taken(self, found: Sealed) -> bool:
        """See that an event is in the journal, on disk; False where it is no event."""
        before = next(self._before(found.id), None)
        if before is not None:
            await self._journal.durable(before)
            return True
        try:
            await self._take(found.name, found.data, found.id, found.at_ms)
        except Refusal as refusal:
            if refusal.fault.detail != NO_ROOM:
                return False
            raise JournalFull(refusal.fault.reason) from None
        return True

    def _before(self, event: str) -> Iterator[int]:
        return (entry.seq for entry in self._journal.entries(run=event, kinds=(HAPPENED,)))

    async def _put_aside(self) -> None:
        if self._unread:
            said = {"files": len(self._unread), "names": [file.name for file in self._unread[:MOST_NAMED]]}
            await self._journal.durable(self._journal.append((UNREAD, "", msgspec.json.encode(said))))
        for file in self._unread:
            with contextlib.suppress(OSError):
                file.rename(file.with_name(f"{file.name}.unread"))
