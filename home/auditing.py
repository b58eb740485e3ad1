"""Looking at a home's journal from outside of a kernel, accepting one that is not what was known of it, and choosing
where else its head is kept.

The auditor is a program of its own (`agentos.audit`); here it is only given the keys, over a pipe. It reads beside a
kernel that is at work. Accepting and choosing change the home, and want it for themselves.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import msgspec

from agentos.home import chain, elsewhere, home, keys, places, schema, unlocking
from agentos.home.chain import JournalBroken, Point, chained, commitment, connect, unopened
from agentos.home.heads import Head, Place, Signer, Witness
from agentos.home.keys import HomeError
from agentos.home.opening import opened

AUDITOR = (sys.executable, "-m", "agentos.audit")
LOOKED = (0, 1)
NONE_YET = "none is there yet"


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
    if verb == "verify":
        for each in _kept(path, opened_keys.database, Signer(found.home, opened_keys.signing)):
            if each.state != NONE_YET:
                heads += ["--kept", f"the head {each.said}" + ("" if each.line else f" ({each.state})"), each.line]
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


class Kept(msgspec.Struct, frozen=True):
    """A place that the person chose for the head of a home, and what is there."""

    where: str
    said: str
    state: str
    line: str = ""
    seq: int = 0


def kept(path: Path, secret: str) -> list[Kept]:
    """The places that the person chose; a kernel may be up. Raises HomeError, JournalBroken."""
    found = unlocking.read(path)
    opened_keys = keys.derive(unlocking.home_key(found, secret))
    return _kept(path, opened_keys.database, Signer(found.home, opened_keys.signing))


def _kept(path: Path, key: bytes, signer: Signer) -> list[Kept]:
    try:
        with contextlib.closing(connect(path / "agentos.db", key)) as db:
            names = elsewhere.chosen(db)
            ever = bool(db.execute("SELECT 1 FROM marks WHERE name = 'kept'").fetchall())
    except apsw.Error as wrong:
        raise unopened(wrong) from None
    return [_found(name, elsewhere.made(name, signer.home), signer, ever) for name in names]


def _found(where: str, place: Place, signer: Signer, ever: bool) -> Kept:
    try:
        line = (elsewhere.asked(where, place) or "").strip()
    except HomeError as error:
        return Kept(where, place.said, error.reason)
    if not line:
        return Kept(where, place.said, "none is there" if ever else NONE_YET)
    read = signer.read(line)
    state = f"record {read.seq}" if read else "not one that this home signed"
    return Kept(where, place.said, state, line, read.seq if read else 0)


def keep_in(path: Path, secret: str, where: str) -> None:
    """Keep the head in one place more. Raises HomeError, JournalBroken where the home is not what was known of it."""
    with _held(path, secret) as (db, witness):
        name, names = elsewhere.canonical(where, path), elsewhere.chosen(db)
        if name in names:
            raise HomeError("exists", "the head of this home is kept there already", "see: agentos audit head --where")
        found = opened(db, witness, ())
        # First the line, then that it must be there: a power cut in between leaves a line too many.
        place = elsewhere.made(name, witness.signer.home)
        elsewhere.usable(name, place, found.known.line if found.known else "")
        _choose(db, found.head, [*names, name])


def not_in(path: Path, secret: str, where: str) -> None:
    """Keep the head in one place fewer, which may be gone; what the others say is looked at by the next start."""
    with _held(path, secret) as (db, witness):
        names = elsewhere.chosen(db)
        name = where if where in names else os.path.realpath(os.path.expanduser(where))
        if name not in names:
            raise HomeError("not_found", f"no head is kept there: {where}", "see: agentos audit head --where")
        # Nothing is signed here: a home that was rolled back stays one.
        _choose(db, chain.walked(db), [each for each in names if each != name])
        with contextlib.suppress(OSError):
            elsewhere.within(elsewhere.ANSWER_S, elsewhere.made(name, witness.signer.home).end)


def _choose(db: apsw.Connection, point: Point, names: list[str]) -> None:
    at_ms, salt, body = time.time_ns() // 1_000_000, os.urandom(chain.SALT_BYTES), msgspec.json.encode({"in": names})
    hashed = chained(point[1], point[0] + 1, at_ms, schema.HEADS, "", commitment(salt, body))
    with db:  # a transaction
        schema.insert(db, [(point[0] + 1, at_ms, schema.HEADS, "", salt, body, hashed)])
        value = msgspec.json.encode(names).decode()
        db.execute("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", (elsewhere.MARK, value))


def head(path: Path) -> str:
    """The line that is kept away from the database: public, and worth keeping on paper. Raises HomeError."""
    line = places.place(path, unlocking.read(path).home).read()
    if line is None:
        raise HomeError("no_head", "no head of this home is kept yet", "it is, once something was recorded")
    return line.strip()


def accept(path: Path, secret: str, sure: bool) -> Accepted | None:
    """What is not as it was known, or nothing; with `sure`, go on from it. Raises HomeError, JournalBroken."""
    with _held(path, secret) as (db, witness):
        return _accept(db, witness, sure)


@contextlib.contextmanager
def _held(path: Path, secret: str) -> Iterator[tuple[apsw.Connection, Witness]]:
    """The database of a home that no kernel serves, and what vouches for it."""
    held = home.unlock(path, secret)
    try:
        with contextlib.closing(connect(held.database, held.keys.database)) as db:
            schema.bring_up_to_date(db)
            yield db, held.witness()
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
    places = elsewhere.all_of(db, witness)
    lines = [elsewhere.asked(where, place) or "" for where, place in places]
    accepted = Accepted(seen.code, seen.reason, lines[0].strip(), point[0], point[1].hex())
    if sure:
        new = _written(db, witness.signer, accepted, point, lines)
        for where, place in places:
            _begun(where, place, new.line)
    return accepted


def _begun(where: str, place: Place, line: str) -> None:
    try:
        elsewhere.within(elsewhere.ANSWER_S, lambda: place.begin(line))
    except OSError:
        reason = f"the head of this home, which is kept {place.said}, cannot be written"
        raise HomeError("no_head", reason, f"see to that and accept again, or {elsewhere.without(where)}") from None


def _written(db: apsw.Connection, signer: Signer, accepted: Accepted, point: Point, lines: Sequence[str]) -> Head:
    """Record it, let go of what was signed of another history, and sign the head of a new epoch."""
    known = [each for each in (*map(signer.read, lines), *_signed(db, signer)) if each]
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
