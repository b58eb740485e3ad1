"""The queue of events: a fold of the journal, and nothing else knows what is owed to whom.

An event is taken in with one record that names the triggers it is owed to. A run begins with it in the same unit in
which it is marked as delivered, and the end of that run settles it: done, tried again later, or given up. So there is
exactly one run for each (event, trigger) at a time, whatever dies when, and after a crash the same runs go on.

What is in memory is what is not over: a few words for each event that waits, never its data, which is read from the
journal when its run begins. All limits are here. A program that fails FAILURES times in a row is paused: what is
sent to it waits until the person lets it go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain

import msgspec

from agentos.events.hearing import Hearing, fitting
from agentos.events.schedule import SET_BACK_MS
from agentos.events.upcoming import Owed, Upcoming
from agentos.home.happenings import Armed, Delivered, Disarmed, EventsForgotten, Happened, Replayed, Switched
from agentos.home.history import Forgotten, RunEnded
from agentos.manifest.trigger import Trigger, trigger
from agentos.v1 import control_pb2 as pb

MAX_DATA = 1 << 20
MAX_WAITING = 10_000
MAX_WAITING_IN_ALL = 100_000
MAX_TRIGGERS = 100_000
MAX_DEAD = 1_000
# Ids of events that are remembered, so that what is sent twice is taken in once.
REMEMBERED = 10_000
FAILURES = 5
DISK_FULL = "disk_full"
# How the ids of events look that we give.
OURS = re.compile(r"e\d+")
BACK_OFF_MS, LONGEST_BACK_OFF_MS = 1_000, 3_600_000


class Program(msgspec.Struct, omit_defaults=True, gc=False):
    """A program that is armed, and the ids of its triggers. `paused` says why it is, if it is."""

    armed: Armed
    triggers: tuple[str, ...]
    failures: int = 0
    paused: str = ""


class ArmedTrigger(msgspec.Struct, omit_defaults=True, gc=False):
    """A trigger of an armed program. `last_ms` is the newest time of a timer that was taken in."""

    path: str
    rule: Trigger
    since_ms: int
    last_ms: int = 0
    on: bool = True


class Queue(msgspec.Struct, dict=True):
    """All of it. Only `fold` changes it."""

    programs: dict[str, Program] = {}
    triggers: dict[str, ArmedTrigger] = {}
    # Of sent events by name: which triggers want them.
    by_name: dict[str, list[str]] = {}
    # What waits, by path and key, oldest first; what is with a run, by run; what was given up, by key.
    owed: dict[str, dict[str, Owed]] = {}
    runs: dict[str, Owed] = {}
    # The other events of a run that got several.
    beside: dict[str, list[Owed]] = {}
    running: dict[str, set[str]] = {}
    dead: dict[str, Owed] = {}
    seen: dict[str, int] = {}
    waiting: int = 0
    hearing: Hearing = msgspec.field(default_factory=Hearing)

    def __post_init__(self) -> None:
        """What many say alike is one text in memory, also where it was read from a snapshot."""
        self._upcoming: dict[str, Upcoming] = {}  # no field: it is made anew where it is not there
        known = {each: each for each in chain(self.triggers, self.runs)}
        for program in self.programs.values():
            _shared(known, program.armed, "path", "digest", "program", "start_folder", "home_folder")
            program.triggers = tuple(known[each] for each in program.triggers)
        for held in self.triggers.values():
            _shared(known, held, "path")
            _shared(known, held.rule, "event", "tz", "catch_up")
        for owed in chain(self.runs.values(), self.dead.values(), *(each.values() for each in self.owed.values())):
            _shared(known, owed, "name", "path", "trigger", "run")
        self.running = {path: {known[run] for run in runs} for path, runs in self.running.items()}

    # ---- questions

    def wants(self, name: str, data: str) -> tuple[str, ...]:
        """The triggers that an event of this name goes to."""
        found, fits = [each for each in self.by_name.get(name, ()) if self.triggers[each].on], fitting(data)
        return tuple(each for each in found if fits(self.triggers[each].rule.filters))

    def room(self, to: tuple[str, ...]) -> bool:
        """Whether one more event for these triggers may wait."""
        full = any(len(self.owed.get(self.triggers[each].path, ())) >= MAX_WAITING for each in to)
        return not full and self.waiting + len(to) <= MAX_WAITING_IN_ALL

    def named(self, name: str) -> str:
        """The path of the armed program of this path or name; empty where there is none, or several."""
        if name in self.programs:
            return name
        found = [path for path, each in self.programs.items() if each.armed.program == name]
        return found[0] if len(found) == 1 else ""

    def holds(self, event: str, to: Iterable[str]) -> bool:
        """Whether what an event said to these triggers is still wanted: it waits, is with a run, or was given up.

        Or a run that hears its name may take it.
        """
        known = [each for each in to if each in self.triggers]
        owed = any(self._holds(f"{each} {event}", self.triggers[each].path) for each in known)
        return owed or self.hearing.holds(event)

    def upcoming(self, path: str) -> Upcoming | None:
        """What comes next for this program; None where nothing waits for it."""
        if path not in self._upcoming and path in self.owed:
            ids = self.programs[path].triggers
            most = {each: rule.batch for each in ids if (rule := self.triggers[each].rule).batch}
            self._upcoming[path] = Upcoming(self.owed[path], most)
        return self._upcoming.get(path)

    def _holds(self, key: str, path: str) -> bool:
        if key in self.owed.get(path, ()) or key in self.dead:
            return True
        runs = self.running.get(path, ())
        return any(each.key == key for run in runs for each in (self.runs[run], *self.beside.get(run, ())))

    def statistics(self) -> dict[str, int]:
        paused = sum(bool(each.paused) for each in self.programs.values())
        return {
            "waiting": self.waiting, "with_runs": len(self.runs), "dead": len(self.dead), "paused": paused,
            "programs": len(self.programs), "triggers": len(self.triggers),
        }  # fmt: skip

    # ---- the fold

    def fold(self, record: object, seq: int) -> None:
        self.hearing.fold(record, seq)
        if isinstance(record, Happened):
            self._happened(record, seq)
        elif isinstance(record, Delivered):
            self._delivered(record)
        elif isinstance(record, RunEnded):
            self._ended(record)
        elif isinstance(record, Armed):
            self._armed(record)
        elif isinstance(record, Disarmed):
            self._gone(record.path, ())
            self.programs.pop(record.path, None)
        elif isinstance(record, Switched):
            self._switched(record)
        elif isinstance(record, Replayed):
            self._replayed(record)

    def forget(self, run: str) -> None:
        """The records of this run are gone, its end too."""
        self._taken(run)
        self.hearing.forget(run)

    def _armed(self, record: Armed) -> None:
        kept = {each: self.triggers[each] for each, _ in record.triggers if each in self.triggers}
        self._gone(record.path, tuple(kept))
        ids = tuple(each for each, _ in record.triggers)
        self.programs[record.path] = Program(msgspec.structs.replace(record, triggers=()), ids)
        for each, rule in record.triggers:
            held = ArmedTrigger(record.path, trigger(rule), record.at_ms)
            if each in kept:
                held.since_ms, held.last_ms, held.on = kept[each].since_ms, kept[each].last_ms, kept[each].on
            self.triggers[each] = held
            if not held.rule.is_timer:
                self.by_name.setdefault(held.rule.event, []).append(each)

    def _gone(self, path: str, kept: tuple[str, ...]) -> None:
        """Forget the triggers of a program but these, and what is owed to them."""
        self._upcoming.pop(path, None)
        before = self.programs.get(path)
        for each in before.triggers if before else ():
            rule = self.triggers.pop(each).rule
            if not rule.is_timer:
                self.by_name[rule.event].remove(each)
                if not self.by_name[rule.event]:
                    del self.by_name[rule.event]
        for owed in [each for each in self.owed.get(path, {}).values() if each.trigger not in kept]:
            self._drop(owed)
        for key in [key for key, each in self.dead.items() if each.path == path and each.trigger not in kept]:
            del self.dead[key]

    def _switched(self, record: Switched) -> None:
        program, held = self.programs.get(record.name), self.triggers.get(record.name)
        if program:
            program.failures, program.paused = 0, "" if record.on else "you turned it off"
        if held:
            # What came while it was off was not for it.
            held.last_ms = max(held.last_ms, record.at_ms) if record.on and not held.on else held.last_ms
            held.on = record.on

    def _happened(self, record: Happened, seq: int) -> None:
        if not record.due_ms:
            self.seen[record.run] = seq
            if len(self.seen) > REMEMBERED:
                del self.seen[next(iter(self.seen))]
        for each in record.to:
            held = self.triggers[each]
            set_back = record.due_ms and held.last_ms > record.due_ms + SET_BACK_MS
            held.last_ms = record.due_ms if set_back else max(held.last_ms, record.due_ms)
            owed = Owed(record.run, record.name, each, held.path, seq, record.at_ms)
            wait_ms = held.rule.debounce_ms or held.rule.batch_ms
            owed.after_ms = record.at_ms + wait_ms if wait_ms else 0
            self._in_place_of_others(owed, held.rule)
            self._put(owed)

    def _in_place_of_others(self, new: Owed, rule: Trigger) -> None:
        """Where only the newest counts, what waits and was never tried goes."""
        one = rule.debounce_ms or (rule.is_timer and rule.catch_up != "all")
        upcoming = self.upcoming(new.path) if one or rule.latest else None
        if upcoming:
            of = self.programs[new.path].triggers if rule.latest else (new.trigger,)
            for each in chain.from_iterable(map(upcoming.new, of)):
                self._drop(each)

    def _put(self, owed: Owed) -> None:
        if before := self.owed.get(owed.path, {}).get(owed.key):
            self._drop(before)  # sent again, so much later that nobody remembers its id
        self.owed.setdefault(owed.path, {})[owed.key] = owed
        self.waiting += 1
        if owed.path in self._upcoming:
            self._upcoming[owed.path].put(owed)

    def _drop(self, owed: Owed) -> None:
        of_program = self.owed[owed.path]
        del of_program[owed.key]
        self.waiting -= 1
        if owed.path in self._upcoming:
            self._upcoming[owed.path].drop(owed)
        if not of_program:
            del self.owed[owed.path]
            self._upcoming.pop(owed.path, None)

    def _delivered(self, record: Delivered) -> None:
        held = self.triggers.get(record.trigger)
        owed = self.owed.get(held.path, {}).get(f"{record.trigger} {record.event}") if held else None
        if owed is None:  # the event was erased since, with the run that had it
            return
        self._drop(owed)
        owed.run, owed.tries = record.run, owed.tries + 1
        if record.run in self.runs:
            self.beside.setdefault(record.run, []).append(owed)
            return
        self.runs[record.run] = owed
        self.running.setdefault(owed.path, set()).add(record.run)

    def _taken(self, run: str) -> list[Owed]:
        """The events of a run that is over."""
        owed = self.runs.pop(run, None)
        if owed:
            self.running[owed.path].discard(run)
            if not self.running[owed.path]:
                del self.running[owed.path]
        return [owed, *self.beside.pop(run, [])] if owed else []

    def _ended(self, record: RunEnded) -> None:
        taken = self._taken(record.run)
        owed = taken[0] if taken else None
        held = self.triggers.get(owed.trigger) if owed else None
        if not owed or not held or record.status == pb.RUN_STATUS_CANCELLED:
            return
        program = self.programs[owed.path]
        if record.status == pb.RUN_STATUS_DONE:
            program.failures = 0
            return
        # For want of room the program can do nothing. One that says it falsely gains no more than by ending well.
        program.failures += not (record.fault and record.fault.detail == DISK_FULL)
        if program.failures >= FAILURES and not program.paused:
            program.paused = f"it failed {program.failures} times in a row, last as {owed.run}"
        if record.status != pb.RUN_STATUS_REFUSED and owed.tries <= held.rule.retries:
            for each in taken:
                each.after_ms = record.ended_us // 1000 + min(BACK_OFF_MS * 4 ** (owed.tries - 1), LONGEST_BACK_OFF_MS)
                self._put(each)
            return
        self.dead |= {each.key: each for each in taken}
        while len(self.dead) > MAX_DEAD:
            del self.dead[next(iter(self.dead))]

    def _replayed(self, record: Replayed) -> None:
        owed = self.dead.pop(f"{record.trigger} {record.event}")
        owed.tries = owed.after_ms = 0
        self._put(owed)


def _shared(known: dict[str, str], of: msgspec.Struct, *fields: str) -> None:
    for field in fields:
        text = getattr(of, field)
        msgspec.structs.force_setattr(of, field, known.setdefault(text, text))


def numbered(record: object) -> tuple[str, ...]:
    """The ids that we gave in this record, so that none is given twice."""
    if isinstance(record, Armed):
        return tuple(each for each, _ in record.triggers)
    if isinstance(record, Forgotten | EventsForgotten):
        return tuple(filter(OURS.fullmatch, record.events))
    return (record.run,) if isinstance(record, Happened) and OURS.fullmatch(record.run) else ()


def ready(queue: Queue, path: str, busy: int, now_ms: int) -> list[Owed]:
    """What this program gets next, as one run; nothing while `busy` of its runs are as many as it may have."""
    upcoming = queue.upcoming(path) if may_begin(queue, path, busy) else None
    return upcoming.next(now_ms) if upcoming else []


def may_begin(queue: Queue, path: str, busy: int) -> bool:
    """Whether one more run of this program may begin; where not, what changes that has it looked at again."""
    program = queue.programs.get(path)
    # How many may be at once is said of the program, alike in each of its triggers.
    return program is not None and not program.paused and busy < queue.triggers[program.triggers[0]].rule.parallel


def later_ms(queue: Queue, path: str) -> int:
    """When the first of what waits for this program, all of it for its time, is due; 0 where nothing does."""
    upcoming = queue.upcoming(path)
    return upcoming.later_ms() if upcoming else 0
