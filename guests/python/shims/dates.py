"""`datetime` as it is, in C, but for the few methods that read the clock or the machine's time zone.

The types of an extension module refuse new attributes. Their dictionaries do not, so that `datetime.datetime` stays the
type that C code, pickles and `isinstance` know.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timezone
from typing import Any

from agentos.guests.python.shims import clock
from agentos.guests.python.shims.replace import type_dict

_of_datetime, _of_date = type_dict(datetime), type_dict(date)
_fromtimestamp, _timestamp, _astimezone = (_of_datetime[name] for name in ("fromtimestamp", "timestamp", "astimezone"))


def _from(cls: Any, timestamp: float, tz: Any = None) -> Any:
    """Return a datetime for a POSIX timestamp, in the person's time zone or in tz."""
    if tz is not None:
        return _fromtimestamp.__get__(None, cls)(timestamp, tz)
    return _fromtimestamp.__get__(None, cls)(timestamp, clock.zone()).replace(tzinfo=None)


def _now(cls: Any, tz: Any = None) -> Any:
    """Return the present time, in the person's time zone or in tz."""
    return cls.fromtimestamp(clock.now(), tz)


def _datetime_today(cls: Any) -> Any:
    """Return the present time, in the person's time zone."""
    return cls.fromtimestamp(clock.now())


def _utcnow(cls: Any) -> Any:
    """Return the present time in UTC, without a zone."""
    return cls.fromtimestamp(clock.now(), timezone.utc).replace(tzinfo=None)  # noqa: UP017  (as Python names it)


def _date_from(cls: Any, timestamp: float, /) -> Any:
    """Return a date for a POSIX timestamp, in the person's time zone."""
    at = _fromtimestamp.__get__(None, datetime)(timestamp, clock.zone())
    return cls(at.year, at.month, at.day)


def _today(cls: Any) -> Any:
    """Return the present date, in the person's time zone."""
    return cls.fromtimestamp(clock.now())


def _to_timestamp(self: Any) -> float:
    """Return the POSIX timestamp; a time without a zone is in the person's."""
    return _timestamp(self if self.tzinfo is not None else self.replace(tzinfo=clock.zone()))  # type: ignore[no-any-return]


def _to_zone(self: Any, tz: Any = None) -> Any:
    """Convert to tz, or to the person's time zone; a time without a zone is in the person's."""
    known = self if self.tzinfo is not None else self.replace(tzinfo=clock.zone())
    if tz is not None:
        return _astimezone(known, tz)
    local = _astimezone(known, clock.zone())
    return local.replace(tzinfo=timezone(local.utcoffset(), local.tzname()))


def install() -> None:
    for name, function in {
        "now": _now, "today": _datetime_today, "utcnow": _utcnow, "fromtimestamp": _from,
    }.items():  # fmt: skip
        function.__name__ = name
        _of_datetime[name] = classmethod(function)
    for name, function in {"timestamp": _to_timestamp, "astimezone": _to_zone}.items():
        function.__name__ = name
        _of_datetime[name] = function
    for name, function in {"today": _today, "fromtimestamp": _date_from}.items():
        function.__name__ = name
        _of_date[name] = classmethod(function)
    sys._clear_type_cache()
