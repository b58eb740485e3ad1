"""Backups: all of a home in one file, taken while a kernel is at work, and put into an empty place again.

A backup holds rows and no pages: what one read transaction saw of every table, as it was at one moment, checked by the
chain on the way. What was erased is in none of it. The file is encrypted under a key of the home, and holds
`unlock.json` in the clear, so that whatever opened the home when it was taken opens the backup: a passphrase, a key
file, the keyring, the recovery key. A file of this name appears when all of it is on disk and was read back, or never.

Restoring makes a home where there is none. It is older than what was known of it, or is on a device that knows nothing
of it, and the head alone could not tell that from a theft of time. So a restored home bears a mark, and does not start
before the person accepted it: `agentos audit accept`, which is recorded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

import apsw
import msgspec

from agentos.home import chain, folder, home, keys, schema, streams, unlocking
from agentos.home.chain import START, JournalBroken, Point, Row, connect, unopened
from agentos.home.keys import HomeError

Told = Callable[[int, int], object]  # (done, of): how far it has come, in rows
Rows = list[tuple[object, ...]]  # each value is one that SQLite gave
FRAME_BYTES = 1 << 20
FRAME_ROWS = 512
JOURNAL = "journal"


class Contents(msgspec.Struct, frozen=True):
    """What a backup says in the clear: when it was taken, up to which record, and how it is unlocked."""

    at_ms: int
    seq: int
    unlock: unlocking.Unlocking


class Tables(msgspec.Struct, frozen=True):
    """The first frame: the form of the database, and how many rows come."""

    version: int
    hash: bytes
    tables: tuple[tuple[str, str], ...]  # name, SQL
    others: tuple[str, ...]  # SQL of indexes
    rows: int


class Piece(msgspec.Struct, frozen=True):
    """Any other frame: rows of a table. The last has neither."""

    table: str = ""
    rows: Rows = []


# Taking one.


def backup(path: Path, secret: str, file: Path, told: Told) -> Contents:
    """Write a backup of a home, beside a kernel that may be up. Raises HomeError, JournalBroken, JournalFull."""
    found = unlocking.read(path)
    folder.private(path)
    home_key = unlocking.home_key(found, secret)
    target = Path(os.path.realpath(file))
    if target.is_relative_to(os.path.realpath(path)):
        raise HomeError("invalid", "a backup within the home is lost with it", "choose a path outside of the home")
    if target.exists():
        raise HomeError("exists", f"there is such a file already: {target}", "choose a path that is free")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    opened = keys.derive(home_key)
    try:
        with closing(connect(path / "agentos.db", opened.database)) as db, _made(part) as out:
            contents = _written(db, out, found, opened.backup, told)
        with open(part, "rb") as back:
            _read_back(back, opened.backup)
        os.link(part, target)  # and not over what was made there meanwhile
        folder.sync(target.parent)
    except FileExistsError:
        raise HomeError("exists", f"there is such a file already: {target}", "choose a path that is free") from None
    except OSError as wrong:
        reason = f"the backup cannot be written: {wrong.strerror or 'the disk refused'}"
        raise HomeError("unavailable", reason, "make room, or choose a folder you can write to") from None
    except apsw.Error as wrong:
        raise unopened(wrong) from None
    finally:
        part.unlink(missing_ok=True)
    return contents


def _made(part: Path) -> BinaryIO:
    """A new file for nobody else to read."""
    return os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb")


def _written(db: apsw.Connection, out: BinaryIO, found: unlocking.Unlocking, key: bytes, told: Told) -> Contents:
    db.pragma("query_only", "ON")
    db.execute("BEGIN")  # all that follows sees one moment
    version = cast(int, db.pragma("user_version"))
    if version != schema.VERSION:
        raise HomeError("older", "this home was not used since Agent OS was updated", "start its kernel once")
    parts = cast(
        list[tuple[str, str, str]],
        db.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY rowid").fetchall(),
    )
    names = tuple((name, sql) for kind, name, sql in parts if kind == "table")
    others = tuple(sql for kind, _, sql in parts if kind != "table")
    head = cast(
        list[Point], db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchall()
    ) or [START]  # fmt: skip
    rows = sum(cast(int, db.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]) for name, _ in names)  # noqa: S608
    contents = Contents(time.time_ns() // 1_000_000, head[0][0], found)
    stream = streams.Writer(out, key, msgspec.json.encode(contents))
    stream.frame(msgspec.msgpack.encode(Tables(version, head[0][1], names, others, rows)))
    done = 0
    for name, _ in names:
        order = " NOT INDEXED ORDER BY seq" if name == JOURNAL else ""
        found_rows = cast(Iterable[Row], db.execute(f'SELECT * FROM "{name}"{order}'))  # noqa: S608
        for piece in _pieces(name, _checked(found_rows, head[0]) if name == JOURNAL else found_rows):
            stream.frame(msgspec.msgpack.encode(piece))
            done += len(piece.rows)
            told(done, rows)
    stream.end(msgspec.msgpack.encode(Piece()))
    out.flush()
    os.fsync(out.fileno())
    return contents


def _checked(rows: Iterable[Row], head: Point) -> Iterator[Row]:
    """The records, each held against the one before: what is broken already is no backup."""
    at = START
    for row in rows:
        at = chain.followed(at, (row,))
        yield row
    if at != head:
        raise JournalBroken("the journal changed while it was read")


def _pieces(name: str, rows: Iterable[tuple[object, ...]]) -> Iterator[Piece]:
    held: Rows = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if size >= FRAME_BYTES or len(held) >= FRAME_ROWS:
            yield Piece(name, held)
            held, size = [], 0
    if held:
        yield Piece(name, held)


def _read_back(file: BinaryIO, key: bytes) -> None:
    header = streams.header(file)
    _, pieces = _opened(file, key, header)
    for _ in pieces:
        pass


# Reading one.


def contents(file: Path) -> Contents:
    """What a backup says without a key. Raises HomeError."""
    with _open(file) as opened:
        return _contents(streams.header(opened))


def _open(file: Path) -> BinaryIO:
    try:
        return open(file, "rb")
    except OSError as wrong:
        raise HomeError("not_found", f"the backup cannot be read: {wrong.strerror}", "is its path right?") from None


def _contents(header: bytes) -> Contents:
    try:
        found = msgspec.json.decode(header, type=Contents)
    except msgspec.DecodeError:
        raise HomeError("broken", "this is no backup of a home", "see: agentos backup --help") from None
    if found.unlock.version > unlocking.VERSION:
        raise HomeError("newer", "this backup was made by a newer Agent OS", "update Agent OS")
    return found


def _opened(file: BinaryIO, key: bytes, header: bytes) -> tuple[Tables, Iterator[Piece]]:
    """The form of the database, and every row of it, counted."""
    frames = streams.frames(file, key, header)
    tables = msgspec.msgpack.decode(next(frames), type=Tables)
    if tables.version > schema.VERSION:
        raise HomeError("newer", "this backup was made by a newer Agent OS", "update Agent OS")

    def pieces() -> Iterator[Piece]:
        left = tables.rows
        for frame in frames:
            piece = msgspec.msgpack.decode(frame, type=Piece)
            left -= len(piece.rows)
            yield piece
        if left:
            raise HomeError("broken", f"{left} rows of this backup are missing", streams.OTHER)

    return tables, pieces()


# Restoring it.


def restore(path: Path, secret: str, file: Path, told: Told) -> Contents:
    """Make a home of a backup, where there is none. Raises HomeError, JournalBroken."""
    with _open(file) as opened:
        header = streams.header(opened)
        found = _contents(header)
        home_key = unlocking.home_key(found.unlock, secret)
        path = _place(path)
        try:
            unlocking.refusing_disk(lambda: _filled(path, opened, header, keys.derive(home_key), told))
            unlocking.refusing_disk(lambda: home.commit(path, found.unlock))
        except BaseException:
            for name in home.FRESH:
                for each in path.glob(f"{name}*"):
                    each.unlink()
            raise
    return found


def _place(path: Path) -> Path:
    try:
        return home.made(path)
    except HomeError as error:
        if error.code != "exists":
            raise
        if folder.holder(path / "lock") is not None:
            hint = "stop it first: agentos down; then move the home away, or restore elsewhere: --home PATH"
            raise HomeError("exists", f"a kernel serves the home that is there: {path}", hint) from None
        hint = "move it away first, or restore elsewhere: --home PATH"
        raise HomeError("exists", f"there is a home already, and nothing is restored over it: {path}", hint) from None


def _filled(path: Path, file: BinaryIO, header: bytes, opened: keys.Keys, told: Told) -> None:
    """The database, as it was, checked; whoever opens it is told that it was restored."""
    tables, pieces = _opened(file, opened.backup, header)
    fresh, found = path / home.FRESH[0], _contents(header)
    with closing(schema.emptied(fresh, opened.database)) as db:
        with db:  # a transaction
            for _, sql in tables.tables:
                db.execute(sql)
            done = 0
            for piece in pieces:
                if piece.rows:
                    places = ", ".join("?" * len(piece.rows[0]))
                    sql = f'INSERT INTO "{piece.table}" VALUES ({places})'  # noqa: S608
                    db.executemany(sql, cast("Iterable[apsw.Bindings]", piece.rows))
                done += len(piece.rows)
                told(done, tables.rows)
            for sql in tables.others:
                db.execute(sql)
            db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {tables.version}")
        schema.bring_up_to_date(db)
        if (chain.walked(db, to=found.seq)) != (found.seq, tables.hash) and tables.version == schema.VERSION:
            raise JournalBroken("the journal in this backup is not the one that it says it holds", streams.OTHER)
        db.execute("INSERT OR REPLACE INTO marks (name, value) VALUES ('broken', ?)", (_reason(found),))


def _reason(found: Contents) -> str:
    taken = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.at_ms / 1000))
    return f"this home was restored from a backup of {taken}, which ends at record {found.seq}"
