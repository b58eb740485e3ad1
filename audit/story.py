"""What `show` tells: who was allowed what, when, and by whose answer. One line for each record of authority."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import apsw

from agentos.audit import msgpack
from agentos.audit.format import Database, Row, Unreadable

TERMS = {
    3: "for one call", 4: "until its run ends", 5: "until {until}", 6: "while this version lives",
    7: "while its terminal is open",
}  # fmt: skip
UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# What may be asked for with --kind, and the kinds of records it is made of.
KINDS = {
    "grants": ("grant", "denial", "revoked"),
    "answers": ("answer",),
    "refusals": ("call",),
    "events": ("armed", "disarmed", "switched", "event.forgotten"),
    "runs": ("run.began", "run.ended", "forgotten"),
    "programs": ("program",),
    "secrets": ("secret.set", "secret.removed"),
    "capabilities": ("capability.added", "capability.removed"),
    "home": ("home.migrated", "home.accepted", "home.unread", "home.heads"),
}
USUALLY = ("grants", "events", "secrets", "capabilities", "home")
REFUSED = 2


@dataclass(frozen=True)
class Told:
    seq: int
    at_ms: int
    kind: str
    program: str
    text: str

    @property
    def line(self) -> str:
        at = datetime.fromtimestamp(self.at_ms / 1000).astimezone()
        who = f"{self.program}: " if self.program else ""
        return f"{at:%Y-%m-%d %H:%M:%S}  {who}{self.text}  [{self.seq}]"

    @property
    def fields(self) -> dict[str, object]:
        return vars(self)


def moment(since: str) -> int:
    """In milliseconds: 30m, 2h, 3d, 1w ago, or an ISO date or time. Raises ValueError."""
    if not since:
        return 0
    if since[-1] in UNITS and since[:-1].isascii() and since[:-1].isdigit():
        return time.time_ns() // 1_000_000 - int(since[:-1]) * UNITS[since[-1]] * 1000
    try:
        return int(datetime.fromisoformat(since).astimezone().timestamp() * 1000)
    except ValueError:
        raise ValueError(f"{plain(since)} is no time: say 3d, 2h, or 2026-11-20") from None


def told(database: Database, since_ms: int, program: str, kinds: tuple[str, ...]) -> list[Told]:
    """What these kinds of records say, since then, of a program by its name or its path."""
    wanted = {each for kind in kinds or USUALLY for each in KINDS[kind]}
    try:
        story = Story()
        found = [each for row in database.rows() for each in story.of(row) if row.kind in wanted]
    except apsw.Error:
        raise Unreadable("a page was altered: the cipher refuses it") from None
    return [each for each in found if each.at_ms >= since_ms and (not program or program in story.names(each.program))]


def plain(text: str) -> str:
    """As it can be shown: what cannot be seen, or would move the cursor, is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class Story:
    """What has to be remembered of earlier records to tell of a later one."""

    def __init__(self) -> None:
        self._grants: dict[str, tuple[str, str]] = {}  # the program of each, and what it allows
        self._runs: dict[str, str] = {}
        self._paths: dict[str, set[str]] = {}
        self._answer: tuple[str, int] = ("", 0)

    def names(self, program: str) -> set[str]:
        """The name of a program, and the paths it had."""
        return {program, *self._paths.get(program, ())}

    def of(self, row: Row) -> Iterator[Told]:
        if row.body is None:
            return
        if row.kind.startswith("home."):
            said = cast(dict[str, Any], json.loads(row.body))
            yield Told(row.seq, row.at_ms, row.kind, "", _home(row.kind, said))
            return
        record = cast(dict[str, Any], msgpack.decoded(row.body))
        self._remember(row, record)
        text = self._text(row, record)
        if text:
            yield Told(row.seq, row.at_ms, row.kind, self._whose(row, record), text)

    def _whose(self, row: Row, record: dict[str, Any]) -> str:
        if row.kind == "revoked":
            return next((self._grants[each][0] for each in record["ids"] if each in self._grants), "")
        return plain(str(record.get("program") or self._runs.get(row.run, "")))

    def _remember(self, row: Row, record: dict[str, Any]) -> None:
        match row.kind:
            case "answer":
                self._answer = (record["prompt"], row.seq)
            case "run.began":
                self._runs[row.run] = record["program"]
                self._paths.setdefault(plain(record["program"]), set()).add(record["path"])
            case "grant" | "denial":
                # An answer and what it minted are one unit: they stand together.
                name, seq = self._answer
                self._answer = (name, row.seq) if row.seq == seq + 1 else ("", 0)
                self._grants[record["id"]] = (plain(record["program"]), _what(record))
                self._paths.setdefault(plain(record["program"]), set()).add(record["path"])
            case _:
                pass

    def _text(self, row: Row, record: dict[str, Any]) -> str:
        match row.kind:
            case "grant":
                return f"you allowed {_what(record)}, {_terms(record)} ({record['id']}, {self._by(record)})"
            case "denial":
                return f"you said never to {_what(record)} ({record['id']}, {self._by(record)})"
            case "revoked":
                taken = "; ".join(" ".join((each, *self._grants.get(each, ())[1:])) for each in record["ids"])
                return f"you took back {taken}"
            case "answer":
                return f"you answered question {record['prompt']} of {row.run}"
            case "call":
                return _refused(row, record)
            case "run.began":
                return f"{row.run} began: {plain(record['path'])}, version {record['digest'][:12]}"
            case "run.ended":
                return f"{row.run} ended after {record['calls']} calls, {record['refused']} of them refused"
            case "forgotten":
                return f"what {row.run} was given, did and said was erased"
            case "program":
                return f"version {record['digest'][:12]} of {plain(record['path'])} was seen first"
            case _:
                return _starts(row.kind, record) or _kept(row.kind, record)

    def _by(self, record: dict[str, Any]) -> str:
        if record.get("parent"):
            return f"derived from {record['parent']}"
        run = f" in {record['run']}" if record["run"] else ""
        if self._answer[0]:
            return f"by your answer to question {self._answer[0]}{run}"
        return f"by --grant manifest{run}" if record.get("origin", "person") == "person" else plain(record["origin"])


def _starts(kind: str, record: dict[str, Any]) -> str:
    if kind == "armed":
        return f"you armed version {record['digest'][:12]} of {plain(record['path'])}: it starts by itself"
    if kind == "disarmed":
        return f"you disarmed {plain(record['path'])}"
    if kind == "event.forgotten":
        return f"what {len(record['events'])} events said that no run got was erased"
    return f"you turned {plain(record['name'])} {'on' if record['on'] else 'off'}" if kind == "switched" else ""


def _what(record: dict[str, Any]) -> str:
    bounds = ", ".join(f"{name} = {' '.join(map(plain, values))}" for name, values in record["bounds"])
    return f"{record['action']}{f' where {bounds}' if bounds else ''}"


def _terms(record: dict[str, Any]) -> str:
    terms = record["terms"]
    until = datetime.fromtimestamp(terms["until_ms"] / 1000).astimezone()
    return TERMS.get(terms["choice"], "for a time").format(until=f"{until:%Y-%m-%d %H:%M}")


def _refused(row: Row, record: dict[str, Any]) -> str:
    if record["decision"] != REFUSED:
        return ""
    targets = ", ".join(f"{name} {plain(value)}" for name, value in record["targets"])
    why = (record.get("fault") or {}).get("reason", "")
    return f"{row.run} was refused {record['action'] or 'a call'} {targets}: {plain(why)}"


def _kept(kind: str, record: dict[str, Any]) -> str:
    name = plain(str(record.get("name", "")))
    match kind:
        case "secret.set":
            return f"you set the secret {name}, for {' '.join(map(plain, record['places'])) or 'no place'}"
        case "secret.removed":
            return f"you removed the secret {name}"
        case "capability.added":
            return f"you added the capability {name}, from {plain(record['folder'])}"
        case "capability.removed":
            return f"you removed the capability {name}"
        case _:
            return ""


def _home(kind: str, said: dict[str, Any]) -> str:
    if kind == "home.accepted":
        return f"you accepted this history, though {plain(str(said['reason']))}"
    if kind == "home.unread":
        names = ", ".join(plain(each) for each in said["names"])
        return f"{said['files']} sealed events could not be read, and were put aside in spool/: {names}"
    if kind == "home.heads":
        places = " and ".join(plain(each) for each in said["in"])
        return f"you chose to keep the head in {f'{places} as well' if places else 'its file alone'}"
    return f"this home was brought from version {said['from']} to the next, with {said['records']} records"
