"""When a timer comes: pure, in unix milliseconds, from what its trigger says and nothing else.

A cron line is read in its own zone. What falls into the hour that a zone skips in spring comes right after it, and
what falls into the hour that it repeats in autumn comes once, as Debian's cron has it. `timer.every` counts from when
it was armed, so that it does not drift and has the same times after a restart.

After a time in which nothing could be started (the kernel was down, the laptop slept, the clock jumped ahead) the rule
`catch_up` says which of the missed times are made up for. A clock that jumps back brings nothing twice: what was taken
in is remembered by its time. One that is set back by more than SET_BACK_MS was wrong before: waiting until it is where
it was would silence a timer for as long as it was wrong, which may be years. So times are counted anew from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agentos.manifest.trigger import Trigger

# A time that is later than this was missed.
LATE_MS = 60_000
SET_BACK_MS = 3 * 3_600_000
# So many are made up for in one go; the others come right after.
BATCH = 100


def armed_since(rule: Trigger, since_ms: int, now_ms: int) -> int:
    """When it was armed, by a clock that is right now: with the same times, if it was wrong then."""
    if since_ms <= now_ms + SET_BACK_MS:
        return since_ms
    step_ms = rule.every_ms or 1
    return since_ms + (now_ms - since_ms) // step_ms * step_ms


def following(rule: Trigger, since_ms: int, after_ms: int) -> int:
    """The first time after this one; 0 where there is none. `since_ms` is when it was armed."""
    after_ms = max(after_ms, since_ms)
    if rule.event == "timer.every":
        return since_ms + ((after_ms - since_ms) // rule.every_ms + 1) * rule.every_ms
    if rule.event == "timer.at":
        at_ms = _ms(datetime.fromisoformat(rule.at))
        return at_ms if at_ms > after_ms else 0
    return next(_cron(rule, after_ms), 0)


def newest(rule: Trigger, since_ms: int, until_ms: int) -> int:
    """The last time up to and with this one; 0 where there is none since it was armed."""
    if rule.event == "timer.every":
        found = since_ms + (until_ms - since_ms) // rule.every_ms * rule.every_ms
    elif rule.event == "timer.at":
        found = _ms(datetime.fromisoformat(rule.at))
    else:
        found = next((at for at in _cron(rule, until_ms, back=True) if at <= until_ms), 0)
    return found if since_ms < found <= until_ms else 0


def due(rule: Trigger, since_ms: int, last_ms: int, now_ms: int) -> list[int]:
    """The times after `last_ms` that are to be taken in now, oldest first, at most BATCH of them."""
    last_ms = max(since_ms, last_ms)
    if rule.catch_up == "all":
        return list(islice(_times(rule, since_ms, last_ms, now_ms), BATCH))
    at_ms = newest(rule, since_ms, now_ms)
    missed = rule.catch_up == "none" and at_ms < now_ms - LATE_MS
    return [at_ms] if at_ms > last_ms and not missed else []


def _times(rule: Trigger, since_ms: int, after_ms: int, until_ms: int) -> Iterator[int]:
    while 0 < (after_ms := following(rule, since_ms, after_ms)) <= until_ms:
        yield after_ms


def _cron(rule: Trigger, from_ms: int, back: bool = False) -> Iterator[int]:
    """The times of a cron line after this one; with `back` those up to it, newest first."""
    # One second more, since what lies before is looked for strictly before.
    begin = datetime.fromtimestamp(from_ms // 1000 + back, ZoneInfo(rule.tz))
    for moment in CronSim(rule.at, begin, reverse=back):
        # Without a zone its times are those of the wall: in the hour that comes twice some lie behind us.
        if back or _ms(moment) > from_ms:
            yield _ms(moment)


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1000
