"""Looking at a home's journal from outside of a kernel, and accepting one that is not what was known of it.

The auditor is a program of its own (`agentos.audit`); here it is only given the keys, over a pipe. It reads beside a
kernel that is at work. Accepting changes the home, and wants it for itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec

from agentos.home import chain, home, keys, places, schema, unlocking
from agentos.home.chain import JournalBroken, Point, chained, commitment, connect, unopened
from agentos.home.heads import Head, Signer, Witness
from agentos.home.keys import HomeError
from agentos.home.opening import elsewhere, opened

AUDITOR = (sys.executable, "-m", "agentos.audit")
LOOKED = (0, 1)


class Accepted(msgspec.Struct, frozen=True):
    """What the journal says of a history that the person accepted: what was seen, and the head that was known."""

    code: str
    reason: str
    kept: str
    seq: int
    hash: str


def audited(path: Path, secret: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Let the auditor look; its exit status and what it said. Raises HomeError."""
    found = unlocking.read(path)
    opened_keys = keys.derive(unlocking.home_key(found, secret))
    told, given = os.pipe()
    os.write(given, opened_keys.database + Signer(found.home, opened_keys.signing).public)
    os.close(given)
    verb, *more = arguments
    kept = places.place(path, found.home).path
    heads = [f"--head-file={kept}"] if verb == "verify" and kept.exists() else []
    try:
        done = subprocess.run(
            [*AUDITOR, verb, str(path / "agentos.db"), f"--keys-fd={told}", *heads, *more],
            pass_fds=(told,), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(told)
    if done.returncode not in LOOKED and not done.stdout:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise HomeError("unavailable", f"the auditor could not look: {last[0]}", "agentos audit verify --help")
    return done.returncode, done.stdout


def head(path: Path) -> str:
    """The line that is kept away from the database: public, and worth keeping on paper. Raises HomeError."""
    line = places.place(path, unlocking.read(path).home).read()
    if line is None:
        raise HomeError("no_head", "no head of this home is kept yet", "it is, once something was recorded")
    return line.strip()


def accept(path: Path, secret: str, sure: bool) -> Accepted | None:
    """What is not as it was known, or nothing; with `sure`, go on from it. Raises HomeError, JournalBroken."""
    held = home.unlock(path, secret)
    try:
        db = connect(held.database, held.keys.database)
        try:
            return _accept(db, held.witness(), sure)
        finally:
            db.close()
    except apsw.Error as wrong:
        raise unopened(wrong) from None
    finally:
        held.close()


def _accept(db: apsw.Connection, witness: Witness, sure: bool) -> Accepted | None:
    try:
        opened(db, witness, ())
    except JournalBroken as broken:
        if broken.code == "newer":
            raise
        seen = broken
    else:
        return None
    point = chain.walked(db)  # raises what cannot be accepted: the records themselves must be one chain
    chain.indexed(db)
    line = elsewhere(witness) or ""
    accepted = Accepted(seen.code, seen.reason, line.strip(), point[0], point[1].hex())
    if sure:
        witness.place.write(_written(db, witness.signer, accepted, point, line).line)
    return accepted


def _written(db: apsw.Connection, signer: Signer, accepted: Accepted, point: Point, line: str) -> Head:
    """Record it, let go of what was signed of another history, and sign the head of a new epoch."""
    known = [each for each in (signer.read(line), *_signed(db, signer)) if each]
    at_ms, salt, body = time.time_ns() // 1_000_000, os.urandom(chain.SALT_BYTES), msgspec.json.encode(accepted)
    hashed = chained(point[1], point[0] + 1, at_ms, schema.ACCEPTED, "", commitment(salt, body))
    epoch, number = (max((getattr(each, name) for each in known), default=0) + 1 for name in ("epoch", "number"))
    new = signer.head((point[0] + 1, hashed), epoch, number, at_ms)
    with db:  # a transaction
        schema.insert(db, [(new.seq, at_ms, schema.ACCEPTED, "", salt, body, hashed)])
        ours = {each.seq for each in _signed(db, signer) if chain.hash_of(db, each.seq) == each.hash}
        for (seq,) in db.execute("SELECT seq FROM checkpoint").fetchall():
            if seq not in ours:
                db.execute("DELETE FROM checkpoint WHERE seq = ?", (seq,))
        db.execute("DELETE FROM fold; DELETE FROM marks WHERE name = 'broken'")
        db.execute("INSERT INTO checkpoint (seq, line) VALUES (?, ?)", (new.seq, new.line))
    return new


def _signed(db: apsw.Connection, signer: Signer) -> list[Head]:
    found = [(seq, signer.read(str(line))) for seq, line in db.execute("SELECT seq, line FROM checkpoint").fetchall()]
    return [head for seq, head in found if head and head.seq == seq]
