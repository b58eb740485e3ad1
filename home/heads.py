"""Heads: what this home last knew of its own journal, signed, and kept where the database is not.

A cipher notices an altered page and a chain an old one, but a database that is old as a whole fits together. Only what
was written elsewhere can tell. So the writer signs the newest record's number and hash, and after the commit puts that
line into a file in another folder, and wherever else the person chose (`elsewhere`); one can be kept on paper, too.

    agentos-head-1 HOME EPOCH SEQ NUMBER AT_MS HASH KEY SIGNATURE

HASH is hash(SEQ) in hex; KEY is BLAKE2b-64 of the public key in hex; SIGNATURE is Ed25519, base64url without padding,
over "agentos head 1", a zero byte, and the line up to the blank before it. EPOCH counts how often the person accepted
another history than the one that was known. NUMBER counts the lines meant to be kept elsewhere: one is signed in the
transaction of what it covers, kept right after (by the next start, if this one is cut off), and no other is signed
before it is. Hence, however the power is cut:

    database's number − kept number   0 or 1: all is well (1: it was cut between the two)
                                      more: the kept line is an old one
    kept (epoch, seq) above the database's: the database was rolled back
    the database's record SEQ has another hash: another history

No clock is asked, so none can raise a false alarm.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Protocol, cast

import apsw
import msgspec
from nacl import bindings, exceptions

from agentos.home import chain
from agentos.home.chain import JournalBroken, Point

MAGIC = "agentos-head-1"
CONTEXT = b"agentos head 1\0"
MAX_LINE = 1024
ACCEPT = "if you know why: agentos audit accept; else look first: agentos audit verify"


class Head(msgspec.Struct, frozen=True):
    """One signed line, taken apart."""

    home: str
    epoch: int
    seq: int
    number: int
    at_ms: int
    hash: bytes
    key: str
    signature: bytes = b""

    @property
    def said(self) -> str:
        """What is signed."""
        return f"{MAGIC} {self.home} {self.epoch} {self.seq} {self.number} {self.at_ms} {self.hash.hex()} {self.key}"

    @property
    def line(self) -> str:
        return f"{self.said} {base64.urlsafe_b64encode(self.signature).decode().rstrip('=')}"


class Signer:
    """The home's signing key at work."""

    def __init__(self, home: str, seed: bytes) -> None:
        self.home = home
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.key = blake2b(self.public, digest_size=8).hexdigest()

    def sign(self, context: bytes, what: bytes) -> bytes:
        return bindings.crypto_sign(context + what, self._secret)[: bindings.crypto_sign_BYTES]

    def signed(self, signature: bytes, context: bytes, what: bytes) -> bool:
        try:
            bindings.crypto_sign_open(signature + context + what, self.public)
        except (exceptions.CryptoError, ValueError):
            return False
        return len(signature) == bindings.crypto_sign_BYTES

    def head(self, point: Point, epoch: int, number: int, at_ms: int) -> Head:
        said = Head(self.home, epoch, point[0], number, at_ms, point[1], self.key)
        return msgspec.structs.replace(said, signature=self.sign(CONTEXT, said.said.encode()))

    def read(self, line: str) -> Head | None:
        """The head in a line, if this home signed it."""
        head = parsed(line)
        if head is None or head.home != self.home or not self.signed(head.signature, CONTEXT, head.said.encode()):
            return None
        return head


def parsed(line: str) -> Head | None:
    """A line taken apart; whose it is, and whether it is true, was not looked at. One line has one reading."""
    parts = line.strip().split(" ") if len(line) <= MAX_LINE else []
    if len(parts) != 9 or parts[0] != MAGIC or not all(each.isascii() and each.isdigit() for each in parts[2:6]):
        return None
    try:
        hashed, signature = bytes.fromhex(parts[6]), base64.urlsafe_b64decode(parts[8] + "==")
    except (ValueError, binascii.Error):
        return None
    epoch, seq, number, at_ms = map(int, parts[2:6])
    head = Head(parts[1], epoch, seq, number, at_ms, hashed, parts[7], signature)
    return head if head.line == line.strip() else None


class Place(Protocol):
    """Where the newest head is kept, away from the database."""

    said: str  # where that is, after "is kept"

    def read(self) -> str | None:
        """The line that is kept there; None where there is none. Raises OSError."""
        ...

    def write(self, line: str) -> None:
        """Durably, and whole. Raises OSError."""
        ...

    def begin(self, line: str) -> None:
        """The same where no line may be yet. Raises OSError."""
        ...


class Witness(msgspec.Struct, frozen=True):
    """What a journal needs to be vouched for: a key to sign with, and a place away from the database."""

    signer: Signer
    place: Place


def newest(db: apsw.Connection, signer: Signer) -> Head | None:
    """The newest checkpoint in a database, checked. Raises JournalBroken."""
    rows = db.execute("SELECT seq, line FROM checkpoint ORDER BY seq DESC LIMIT 1").fetchall()
    if not rows:
        return None
    [(seq, line)] = cast(list[tuple[int, str]], rows)
    head = signer.read(line)
    if head is None or head.seq != seq:
        raise JournalBroken(f"the checkpoint at record {seq} was not signed by this home", ACCEPT, "checkpoint")
    if chain.hash_of(db, seq) != head.hash:
        reason = f"record {seq} is not the one that this home signed: the history before it is another one"
        raise JournalBroken(reason, ACCEPT, "checkpoint")
    return head


def compared(
    db: apsw.Connection, known: Head | None, point: Point, kept: str | None, signer: Signer,
    said: str = "away from its database", without: str = "",
) -> bool:  # fmt: skip
    """Whether the newest head is the one that was kept elsewhere; if not, it is to be kept before another is signed.

    `known` is the database's newest checkpoint, `point` its newest record, `kept` the line from elsewhere, which is
    called `said`; `without` is how to do without it. Raises JournalBroken where the database is not as new as that, or
    the line not as new as the database.
    """
    accept = f"{without}; {ACCEPT}" if without else ACCEPT
    if kept is None:
        if db.execute("SELECT 1 FROM marks WHERE name = 'kept'").fetchall():
            reason = f"the head of this home, which is kept {said}, is not where it was put"
            raise JournalBroken(reason, f"bring it back; {accept}", "head_missing")
        return known is None  # a first start, or one that was cut off before its first head was kept
    head = signer.read(kept)
    if head is None:
        reason = f"the head that is kept {said} is not one that this home signed"
        raise JournalBroken(reason, f"bring the right one back; {accept}", "head_wrong")
    epoch, number = (known.epoch, known.number) if known else (0, 0)
    if (head.epoch, head.seq) > (epoch, point[0]) or head.number > number:
        reason = (
            f"the database was rolled back: it ends at record {point[0]}, and this home had come to record {head.seq}"
        )
        raise JournalBroken(reason, f"bring the newer database back; {ACCEPT}", "rolled_back")
    if head.epoch == epoch and chain.hash_of(db, head.seq) != head.hash:
        reason = f"the database has another history than this home signed: record {head.seq} is not the same"
        raise JournalBroken(reason, f"bring the right database back; {ACCEPT}", "forked")
    if number - head.number > 1:
        reason = f"the head that is kept {said} is an old one: of record {head.seq}, not {point[0]}"
        raise JournalBroken(reason, f"somebody put it back; {accept}", "head_old")
    return number == head.number
