"""The form of a home's journal, version 2, and how it is read here. docs/audit.md is this text.

The file. SQLite under ChaCha20-Poly1305 (sqlite3mc's cipher `chacha20`) with a raw key of 32 bytes; `application_id`
0x41674f53, `user_version` 2.

    journal (seq, at_ms, kind, run, salt, body, commitment, hash)   records, from 1 on without a gap
    checkpoint (seq, line)                                          signed heads
    fold (name, seq, hash, state, signature)                        signed snapshots
    marks (name, value), cache, vault                               not part of the history

A record. at_ms is the wall clock in milliseconds since 1970-01-01 UTC, and may go back. body is MessagePack: a map
whose "type" is the kind; of kinds that begin with "home." it is JSON. Numbers are big-endian:

    commitment = BLAKE2b-256(salt ‖ body), person "agentos content"; the salt has 16 bytes
    hash       = BLAKE2b-256(hash before ‖ seq as 8 bytes ‖ at_ms as 8 bytes ‖ length of kind as 4 bytes ‖ kind
                             ‖ length of run as 4 bytes ‖ run ‖ commitment)

The hash before the first is BLAKE2b-256("agentos journal 2"). Where content was erased, salt and body are NULL and
commitment stands in their place; else commitment is NULL. A later record "forgotten" says so: of its run, and
of its events; or "event.forgotten", of its events. Records of authority (grant, denial, revoked, answer, forgotten,
event.forgotten, program, capability.*, secret.*, home.*) are never erased.

A head is one line of ASCII, its parts apart by one blank, its numbers in decimal without leading zeros:

    agentos-head-1 HOME EPOCH SEQ NUMBER AT_MS HASH KEY SIGNATURE

HASH is the hash of record SEQ in hex. KEY is BLAKE2b-64 of the home's Ed25519 public key in hex. SIGNATURE is base64url
without padding, by that key over "agentos head 1", a zero byte, and the line up to the blank before it. NUMBER grows by
one with each head that was meant to be kept elsewhere, EPOCH each time the person accepted another history.

A snapshot's signature is by the same key over "agentos fold 1", a zero byte, and, apart by zero bytes: home, name, seq,
hash in hex, BLAKE2b-256 of the state in hex. The state of "ledger N", whatever its N, is MessagePack: table.held maps
each grant to what is known of it (uses, revoked, ended), table.denials those that hold.

What this finds and what it cannot: a changed, missing, inserted or exchanged record; a signature that is none; a head
of another history; a snapshot that says something else than the records. A history that was cut off is found by a head
from elsewhere, and by nothing else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

import apsw
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 2
APPLICATION = 0x41674F53
FIRST = blake2b(b"agentos journal 2", digest_size=32).digest()
LASTING = (
    "grant", "denial", "revoked", "answer", "forgotten", "event.forgotten", "program", "capability.", "secret.",
    "home.",
)  # fmt: skip


class Unreadable(Exception):
    """It cannot be looked at: another key, another version, no such file."""


@dataclass(frozen=True)
class Row:
    """One record as it is stored."""

    seq: int
    at_ms: int
    kind: str
    run: str
    salt: bytes | None
    body: bytes | None
    commitment: bytes | None
    hash: bytes

    @property
    def erased(self) -> bool:
        return self.body is None

    @property
    def lasting(self) -> bool:
        return any(self.kind == each or (each.endswith(".") and self.kind.startswith(each)) for each in LASTING)

    def follows(self, before: bytes) -> bool:
        """Whether its hash is what the form says."""
        committed = self.commitment
        if self.salt is not None and self.body is not None:
            committed = blake2b(self.salt + self.body, digest_size=32, person=b"agentos content").digest()
        made = blake2b(before, digest_size=32)
        made.update(self.seq.to_bytes(8, "big") + self.at_ms.to_bytes(8, "big", signed=True))
        for text in (self.kind.encode(), self.run.encode()):
            made.update(len(text).to_bytes(4, "big") + text)
        made.update(committed or b"")
        return made.digest() == self.hash


@dataclass(frozen=True)
class Head:
    home: str
    epoch: int
    seq: int
    number: int
    at_ms: int
    hash: bytes


class Database:
    """A journal, read in one transaction. Raises Unreadable."""

    def __init__(self, path: Path, key: bytes, public: bytes) -> None:
        self._public = Ed25519PublicKey.from_public_bytes(public)
        self._key = blake2b(public, digest_size=8).hexdigest()
        try:
            self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            self._db.pragma("cipher", "chacha20")
            self._db.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # what is looked at is left as it was
            self._db.set_busy_timeout(2000)
            self._db.pragma("query_only", "ON")
            self._db.execute("BEGIN")
            version, application = self._db.pragma("user_version"), self._db.pragma("application_id")
        except apsw.Error:
            raise Unreadable("there is no such database, or this is not its key") from None
        if application != APPLICATION or version != VERSION:
            raise Unreadable(f"this is no journal of version {VERSION}; agentos up brings an older one up to date")

    def rows(self) -> Iterator[Row]:
        """All records in order. Raises apsw.Error where a page was altered."""
        sql = "SELECT seq, at_ms, kind, run, salt, body, commitment, hash FROM journal NOT INDEXED ORDER BY seq"
        for row in self._db.execute(sql):
            yield Row(*cast(tuple[int, int, str, str, bytes, bytes, bytes, bytes], row))

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        yield from cast(Iterator[tuple[int, str]], self._db.execute("SELECT seq, line FROM checkpoint ORDER BY seq"))

    def folds(self) -> Iterator[tuple[str, int, bytes, bytes, bytes]]:
        sql = "SELECT name, seq, hash, state, signature FROM fold ORDER BY name"
        yield from cast(Iterator[tuple[str, int, bytes, bytes, bytes]], self._db.execute(sql))

    def indexes_fit(self) -> bool:
        return self._db.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]

    def signed(self, signature: bytes, what: bytes) -> bool:
        try:
            self._public.verify(signature, what)
        except InvalidSignature:
            return False
        return True

    def head(self, line: str) -> Head | None:
        """The head in a line, if the home signed it."""
        parts = line.strip().split(" ")
        said = " ".join(parts[:-1])
        if len(parts) != 9 or parts[0] != "agentos-head-1" or parts[7] != self._key:
            return None
        try:
            signature = base64.urlsafe_b64decode(parts[8] + "==")
            if not self.signed(signature, b"agentos head 1\0" + said.encode()):
                return None
            epoch, seq, number, at_ms = map(int, parts[2:6])
            return Head(parts[1], epoch, seq, number, at_ms, bytes.fromhex(parts[6]))
        except (ValueError, binascii.Error):
            return None

    def fold_signed(self, home: str, name: str, seq: int, hashed: bytes, state: bytes, signature: bytes) -> bool:
        digest = blake2b(state, digest_size=32).hexdigest()
        said = "\0".join(("agentos fold 1", home, name, str(seq), hashed.hex(), digest))
        return self.signed(signature, said.encode())
