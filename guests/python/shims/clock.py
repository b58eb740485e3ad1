"""Every clock: a reading is a call, so that a run that is played again sees the same times.

The kernel's clock is coarse. A monotonic reading is always a little later than the one before, so that no difference
of two is zero. The person's time zone comes with a reading; without a name it is its present offset.
"""

from __future__ import annotations

import math
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace
from typing import Any, NoReturn

from agentos.guests.python.shims.failure import ask, refuse
from agentos.guests.python.shims.replace import instead

DAY_MS = 86_400_000

_zone: tzinfo | None = None
_latest_ns = 0

_c_localtime, _c_gmtime, _c_strftime = time.localtime, time.gmtime, time.strftime
_c_asctime = time.asctime


def begin() -> None:
    global _zone, _latest_ns
    _zone, _latest_ns = None, 0


def reading() -> dict[str, Any]:
    """One reading of the kernel's clock."""
    global _zone
    now = ask("clock.now")
    if _zone is None:
        _zone = _zone_of(str(now.get("zone", "")), int(now.get("offset_s", 0)))
    return now


def _zone_of(name: str, offset_s: int) -> tzinfo:
    if name and name != "UTC":
        try:
            return zoneinfo.ZoneInfo(name)
        except (OSError, ValueError):
            pass
    return timezone(timedelta(seconds=offset_s)) if offset_s else UTC


def zone() -> tzinfo:
    """The person's time zone. The first to ask makes a call."""
    if _zone is None:
        reading()
    return _zone or UTC


def time_ns() -> int:
    return int(reading().get("unix_ms", 0)) * 1_000_000


def now() -> float:
    return int(reading().get("unix_ms", 0)) / 1000


def monotonic_ns() -> int:
    return _later(int(reading().get("monotonic_ms", 0)) * 1_000_000)


def monotonic() -> float:
    return monotonic_ns() / 1e9


def latest_ns() -> int:
    """The latest monotonic reading, without a call."""
    return _latest_ns


def _later(ns: int) -> int:
    global _latest_ns
    _latest_ns = max(ns, _latest_ns + 1000)
    return _latest_ns


def sleep(seconds: Any, /) -> None:
    if not isinstance(seconds, (int, float)):
        seconds = float(seconds)
    if math.isnan(seconds):
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    left = math.ceil(seconds * 1000)
    while left > 0:
        part = min(left, DAY_MS)
        ask("clock.sleep", ms=part)
        _later(_latest_ns + part * 1_000_000)
        left -= part


def localtime(seconds: float | None = None, /) -> time.struct_time:
    seconds = now() if seconds is None else seconds
    local = datetime.fromtimestamp(math.floor(seconds), zone())
    return _struct(local)


def _struct(local: datetime) -> time.struct_time:
    offset = local.utcoffset() or timedelta(0)
    name = local.tzname()
    fields = (*local.timetuple()[:8], int(bool(local.dst())))
    return time.struct_time((*fields, name, int(offset.total_seconds())))


def gmtime(seconds: float | None = None, /) -> time.struct_time:
    return _c_gmtime(now() if seconds is None else seconds)


def mktime(fields: Any, /) -> float:
    year, month, day, hour, minute, second, _, _, dst = tuple(fields)[:9]
    day_one = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=None, fold=int(dst == 0))
    local = day_one + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return local.replace(tzinfo=zone(), fold=int(dst == 0)).timestamp()


def asctime(fields: Any = None, /) -> str:
    return _c_asctime(localtime() if fields is None else fields)


def ctime(seconds: float | None = None, /) -> str:
    return _c_asctime(localtime(seconds))


def strftime(form: str, fields: Any = None, /) -> str:
    if fields is None:
        fields = localtime()
    name = getattr(fields, "tm_zone", None)
    if "%" in form and ("%Z" in form or "%z" in form or "%s" in form):
        offset = getattr(fields, "tm_gmtoff", None)
        form = _zone_parts(form, name, offset)
    return _c_strftime(form, fields)


def _zone_parts(form: str, name: str | None, offset: int | None) -> str:
    """The C library knows no zone but UTC: fill in what concerns it."""
    sign, minutes = "-" if (offset or 0) < 0 else "+", abs(offset or 0) // 60
    parts = {"%Z": name or "UTC", "%z": f"{sign}{minutes // 60:02}{minutes % 60:02}", "%%": "%%"}
    out, at = "", 0
    while at < len(form):
        step = 2 if form[at] == "%" else 1
        out += parts.get(form[at : at + step], form[at : at + step])
        at += step
    return out


_CLOCKS = {time.CLOCK_REALTIME: time_ns, time.CLOCK_MONOTONIC: monotonic_ns}


def clock_gettime_ns(clk_id: int, /) -> int:
    if clk_id not in _CLOCKS:
        raise ValueError("no such clock: use time.CLOCK_REALTIME or time.CLOCK_MONOTONIC")
    return _CLOCKS[clk_id]()


def clock_gettime(clk_id: int, /) -> float:
    return clock_gettime_ns(clk_id) / 1e9


def clock_getres(clk_id: int, /) -> float:
    return 0.001


def get_clock_info(name: str, /) -> SimpleNamespace:
    if name not in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        raise ValueError("unknown clock")
    wall = name == "time"
    return SimpleNamespace(implementation="clock.now", monotonic=not wall, adjustable=wall, resolution=0.001)


def clock_settime(*_: object) -> NoReturn:
    refuse("no program sets the clock")


def install() -> None:
    """Put every one of them in place; time.time and its kin differ in nothing but what they count from."""
    shims: dict[str, Any] = {
        "time": now, "time_ns": time_ns, "sleep": sleep, "localtime": localtime, "gmtime": gmtime, "mktime": mktime,
        "asctime": asctime, "ctime": ctime, "strftime": strftime, "clock_gettime": clock_gettime,
        "clock_gettime_ns": clock_gettime_ns, "clock_getres": clock_getres, "get_clock_info": get_clock_info,
        "clock_settime": clock_settime, "clock_settime_ns": lambda *_: clock_settime(), "tzset": lambda: None,
    }  # fmt: skip
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        shims[name] = lambda: monotonic()
        shims[name + "_ns"] = lambda: monotonic_ns()
    for name, function in shims.items():
        instead(time, name, function)
