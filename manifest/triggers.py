"""What starts a program: `on = [...]` of a manifest, read as strictly as its grants.

An entry is the name of an event, or a table with its settings. A setting that the event does not have, a time that
never comes and a name that nothing sends are errors with their line: a trigger that is silently never pulled would
be noticed by nobody.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from cronsim import CronSim, CronSimError

from agentos.manifest.actions import nearest
from agentos.manifest.toml import Document, ManifestError, Place, shown
from agentos.manifest.trigger import Trigger

MOST = 64
DAY_S = 86_400
LEAST_S, MOST_S = 1, 366 * DAY_S
MOST_PARALLEL = 64
MOST_RETRIES = 20
FIRST_YEAR, LAST_YEAR = 2000, 2199
CATCH_UP = ("last", "all", "none")
# What each event may be told, and what it must be told.
SETTINGS = {
    "timer.cron": ("at", "tz", "catch_up"),
    "timer.every": ("seconds", "catch_up"),
    "timer.at": ("at", "catch_up"),
    "event": ("filter", "debounce", "batch"),
    "hook.received": ("headers", "id", "filter", "debounce", "batch"),
    "files.changed": ("path", "filter", "debounce", "batch"),
}
TIMERS = ("timer.cron", "timer.every", "timer.at")
NEEDED = {
    "timer.cron": ("at", "tz"), "timer.every": ("seconds",), "timer.at": ("at",), "files.changed": ("path",)
}  # fmt: skip
ALWAYS = ("event", "concurrency", "retries")
EXAMPLES = {
    "timer.cron": '{ event = "timer.cron", at = "0 7 * * *", tz = "Europe/Paris" }',
    "timer.every": '{ event = "timer.every", seconds = 30 }',
    "timer.at": '{ event = "timer.at", at = "2030-01-01T08:00:00+01:00" }',
    "event": '"event.NAME"',
    "hook.received": '{ event = "hook.received", headers = ["x-github-event"], id = "x-github-delivery" }',
    "files.changed": '{ event = "files.changed", path = ["notes/**/*.md"] }',
}
MOST_PATHS = 32
# How long a file is quiet before it is told of, where nothing else is said: who saves writes more than once.
QUIET_MS = 500
MOST_HEADERS = 32
MOST_IN_A_BATCH = 1_000
# The name of a header in lower case, as RFC 9110 has a token.
HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
SENT = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9_]{1,40}){0,3}")


Watched = Callable[[object, Place], str]


def read(document: Document, value: object, top: Place, told: tuple[str, ...], watched: Watched) -> tuple[Trigger, ...]:
    """The entries of `on`; `told` is what capabilities tell of, `watched` reads a pattern of files at its place.

    Raises ManifestError.
    """
    if not isinstance(value, list) or not value:
        raise document.wrong(
            top, "on is empty or not a list", f"leave on out, or write on = [{EXAMPLES['timer.every']}]"
        )
    if len(value) > MOST:
        raise document.wrong(top, f"more than {MOST} entries of on", "let one timer do for several")
    found = [_Entry(document, each, (*top, i), told, watched).trigger() for i, each in enumerate(value)]
    return _agreed(document, top, value, found)


def _agreed(document: Document, top: Place, value: list[object], found: list[Trigger]) -> tuple[Trigger, ...]:
    """One rule for the program, since its runs are what may not be at once."""
    said = [i for i, each in enumerate(value) if isinstance(each, dict) and "concurrency" in each]
    rules = [(found[i].parallel, found[i].latest) for i in said]
    for i, rule in zip(said, rules, strict=True):
        if rule != rules[0]:
            raise document.wrong((*top, i, "concurrency"), "two rules for the runs of one program", "write it once")
    parallel, latest = rules[0] if rules else (1, False)
    for i, each in enumerate(found):
        if latest and each.batch:
            reason = "batch keeps each event, and latest only the last"
            raise document.wrong((*top, i, "batch"), reason, "take one of them out")
    return tuple(msgspec.structs.replace(each, parallel=parallel, latest=latest) for each in found)


class _Entry:
    """Reads one entry. Every method raises ManifestError with the line of what it cannot take."""

    def __init__(
        self, document: Document, entry: object, place: Place, told: tuple[str, ...], watched: Watched
    ) -> None:
        self._document, self._place, self._told, self._watched = document, place, told, watched
        table: dict[str, object] = {}
        if isinstance(entry, dict):
            table = entry
        elif isinstance(entry, str):
            table["event"] = entry
        if not isinstance(table.get("event"), str):
            raise document.wrong(place, "an entry of on is a name or a table with event", EXAMPLES["timer.every"])
        self._table = table
        self._event = str(table["event"])
        self._kind = self._event if self._event in SETTINGS and self._event != "event" else "event"

    def trigger(self) -> Trigger:
        self._check()
        read: dict[str, Callable[[], Trigger]] = {
            "timer.cron": self._cron, "timer.every": self._every, "timer.at": self._moment, "event": self._sent,
            "hook.received": self._hook, "files.changed": self._files,
        }  # fmt: skip
        parallel, latest = self._concurrency()
        where = f"{PurePosixPath(self._document.file).name}:{self._document.line(self._place)}"
        return msgspec.structs.replace(
            read[self._kind](), parallel=parallel, latest=latest, catch_up=self._catch_up(), retries=self._retries(),
            where=shown(where),
        )  # fmt: skip

    def _wrong(self, reason: str, hint: str = "", *key: str) -> ManifestError:
        return self._document.wrong((*self._place, *key), reason, hint or f"such as {EXAMPLES[self._kind]}")

    def _check(self) -> None:
        sent = self._event.startswith("event.") and SENT.fullmatch(self._event[6:])
        if not sent and self._event not in (*TIMERS, *self._told):
            near = nearest(self._event, (*TIMERS, *self._told, "event.NAME"))
            hint = f"there are {', '.join((*TIMERS, *self._told))}, and event.NAME for what you send yourself"
            hint = f"did you mean {near}?" if near else hint
            raise self._document.wrong(self._place, f"there is no event {shown(self._event)}", hint)
        known = (*SETTINGS[self._kind], *ALWAYS)
        for key in self._table:
            if key not in known:
                near = nearest(key, known)
                hint = f"did you mean {near}?" if near else "it has " + ", ".join(known)
                raise self._wrong(f"{shown(self._event)} has no setting {shown(key)}", hint, key)
        for key in NEEDED.get(self._kind, ()):
            if key not in self._table:
                raise self._wrong(f"{self._kind} needs {key}")

    # ---- timers

    def _cron(self) -> Trigger:
        line, zone = self._text("at"), self._text("tz")
        try:
            ZoneInfo(zone)
        except (OSError, ValueError, KeyError):  # no such zone, a folder of zones, or no name at all
            near = nearest(zone, available_timezones())
            hint = f"did you mean {near}?" if near else "such as Europe/Paris, or UTC"
            raise self._wrong(f"there is no time zone {shown(zone)}", hint, "tz") from None
        if len(line.split()) != 5 or len(line) > 200:
            raise self._wrong("a cron line has five fields: minute hour day month weekday", "such as 0 7 * * 1-5", "at")
        try:
            if not _fires(line):
                raise self._wrong("this cron line never fires", "look at its day and month", "at")
        except CronSimError as bad:
            raise self._wrong(f"this is no cron line: {shown(str(bad))}", "such as 0 7 * * 1-5", "at") from None
        return Trigger(self._event, at=" ".join(line.split()), tz=zone)

    def _every(self) -> Trigger:
        return Trigger(self._event, every_ms=self._span("seconds", LEAST_S))

    def _moment(self) -> Trigger:
        value = self._table["at"]
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            raise self._wrong("at is a moment with its zone", "such as 2030-01-01T08:00:00+01:00, in quotes", "at")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise self._wrong(f"a year from {FIRST_YEAR} to {LAST_YEAR}", "", "at")
        return Trigger(self._event, at=moment.astimezone(UTC).isoformat())

    def _catch_up(self) -> str:
        value = self._table.get("catch_up", "last")
        if value not in CATCH_UP:
            near = nearest(str(value), CATCH_UP)
            raise self._wrong("catch_up is last, all or none", f"did you mean {near}?" if near else "", "catch_up")
        return str(value)

    # ---- what is sent

    def _sent(self) -> Trigger:
        debounce_ms = self._span("debounce", 0) if "debounce" in self._table else 0
        batch, batch_ms = self._batch() if "batch" in self._table else (0, 0)
        return Trigger(self._event, filters=self._filters(), debounce_ms=debounce_ms, batch=batch, batch_ms=batch_ms)

    def _batch(self) -> tuple[int, int]:
        """How many events, and for how long the first of them waits."""
        value = self._table["batch"]
        said: dict[str, object] = value if isinstance(value, dict) and set(value) == {"count", "seconds"} else {}
        count = said.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= MOST_IN_A_BATCH:
            hint = f"batch = {{ count = 20, seconds = 60 }}, of 2 to {MOST_IN_A_BATCH}"
            raise self._wrong("batch is a number of events and of seconds", hint, "batch")
        if "debounce" in self._table and self._kind != "files.changed":  # of files it is each one's own
            raise self._wrong("batch keeps each event, and this keeps only the last", "take one of them out", "batch")
        return count, self._span("seconds", 0, said)

    def _hook(self) -> Trigger:
        wanted = self._table.get("headers", [])
        if not isinstance(wanted, list) or len(wanted) > MOST_HEADERS or ("headers" in self._table and not wanted):
            raise self._wrong(f"headers is a list of 1 to {MOST_HEADERS} names", "", "headers")
        names = [self._header(each, "headers", i) for i, each in enumerate(wanted)]
        named = self._header(self._table["id"], "id") if "id" in self._table else ""
        return msgspec.structs.replace(self._sent(), headers=tuple(sorted(set(names))), id_header=named)

    def _files(self) -> Trigger:
        value = self._table["path"]
        entries: list[object] = value if isinstance(value, list) else [value]
        if not 1 <= len(entries) <= MOST_PATHS:
            raise self._wrong(f"path is a list of 1 to {MOST_PATHS} patterns", "", "path")
        listed = isinstance(value, list)
        places = [(*self._place, "path", *((i,) if listed else ())) for i in range(len(entries))]
        paths = {self._watched(each, place) for each, place in zip(entries, places, strict=True)}
        sent = self._sent()
        quiet_ms = sent.debounce_ms if "debounce" in self._table else QUIET_MS
        return msgspec.structs.replace(sent, paths=tuple(sorted(paths)), quiet_ms=quiet_ms, debounce_ms=0)

    def _header(self, name: object, *place: str | int) -> str:
        found = name.lower() if isinstance(name, str) else ""
        if not HEADER.fullmatch(found):
            raise self._document.wrong((*self._place, *place), "a header is a name like x-github-event")
        return found

    def _filters(self) -> tuple[tuple[str, str], ...]:
        value = self._table.get("filter", {})
        if not isinstance(value, dict) or ("filter" in self._table and not value):
            raise self._wrong("filter is a table of fields", 'such as filter = { kind = "invoice" }', "filter")
        for field, wanted in value.items():
            if not field or not isinstance(wanted, str | int | bool):
                hint = "a text, a whole number, true or false"
                raise self._wrong(f"a field is compared with one value: {shown(field)}", hint, "filter", field)
        return tuple(sorted((field, json.dumps(wanted)) for field, wanted in value.items()))

    # ---- what all have

    def _concurrency(self) -> tuple[int, bool]:
        """How many at once, and whether only the newest that waits counts."""
        value = self._table.get("concurrency", "serial")
        if value in ("serial", "latest"):
            return 1, value == "latest"
        many = value.get("parallel") if isinstance(value, dict) and list(value) == ["parallel"] else None
        if not isinstance(many, int) or isinstance(many, bool) or not 1 <= many <= MOST_PARALLEL:
            hint = f"{{ parallel = 4 }}, of 1 to {MOST_PARALLEL}"
            raise self._wrong('concurrency is "serial", "latest" or a number in parallel', hint, "concurrency")
        return many, False

    def _retries(self) -> int:
        value = self._table.get("retries", Trigger("").retries)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_RETRIES:
            raise self._wrong(f"retries is a whole number from 0 to {MOST_RETRIES}", "leave it out for 2", "retries")
        return value

    def _text(self, key: str) -> str:
        value = self._table[key]
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"{key} is a text", "", key)
        return value

    def _span(self, key: str, least: int, table: Mapping[str, object] | None = None) -> int:
        """A span of seconds in milliseconds."""
        value = (table or self._table)[key]
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not isinstance(value, int | float) or not good or not least <= value <= MOST_S:
            raise self._wrong(f"{key} is a number from {least} to {MOST_S} seconds", f"such as {key} = 30", key)
        return int(timedelta(seconds=value) / timedelta(milliseconds=1))


def _fires(line: str) -> bool:
    """Whether a cron line has any time. Raises CronSimError for what is no cron line."""
    begin = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    try:
        return next(CronSim(line, begin), None) is not None
    except CronSimError:
        minute, hour, day, month, weekday = line.split()
        for readable in (f"{minute} {hour} {day} * {weekday}", f"{minute} {hour} 1 {month} {weekday}"):
            CronSim(readable, begin)
        return False  # each of its fields says something, and no such day is in such a month
