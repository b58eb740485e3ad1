"""sqlite3 in memory. A database in a file would need locks and pages that no capability gives, and is refused.

SQLite reads the clock and draws randomness by itself; both are replaced by functions of ours. A private connection
computes what the original date functions would, with the kernel's time in the place of `now`.
"""

from __future__ import annotations

import sqlite3
import sqlite3.dbapi2
from collections.abc import Callable
from typing import Any

from agentos.guests.python.shims import chance, clock
from agentos.guests.python.shims.failure import refuse
from agentos.guests.python.shims.replace import instead

_C_CONNECTION = sqlite3.Connection
_DATES = ("date", "time", "datetime", "julianday", "unixepoch", "strftime")
_MEMORY = (":memory:", "")

_plain: Any = None


class Connection(_C_CONNECTION):
    """A connection to a database in memory."""

    _own: Callable[..., int] | None = None
    _restoring = False

    def __init__(self, database: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(checked(database), *args, **kwargs)
        _prepare(self)
        super().set_authorizer(self._authorize)

    def set_authorizer(self, authorizer_callback: Any) -> None:
        """The program's own, after ours."""
        self._own = authorizer_callback

    def deserialize(self, data: Any, /, *, name: str = "main") -> None:
        """Load a database from its bytes, which SQLite does by attaching."""
        self._restoring = True
        try:
            super().deserialize(data, name=name)
        finally:
            self._restoring = False

    def _authorize(self, action: int, first: str | None, *rest: Any) -> int:
        """No other database is attached but one in memory: `ATTACH` and `VACUUM INTO` would open a file."""
        if action == sqlite3.SQLITE_ATTACH and first not in _MEMORY and not self._restoring:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if self._own is None else self._own(action, first, *rest)


def checked(database: Any) -> str:
    name = database if isinstance(database, str) else str(database)
    if name in _MEMORY or (name.startswith("file:") and ("mode=memory" in name or ":memory:" in name)):
        return ":memory:"
    refuse(
        f"a program opens no database file: {name[:200]}",
        "use sqlite3.connect(':memory:'), with connection.deserialize(open(path, 'rb').read()) and serialize()",
        name,
    )


def _prepare(connection: Any) -> None:
    connection.execute("PRAGMA temp_store = MEMORY").close()
    make = connection.create_function
    for name in _DATES:
        make(name, -1, _date(name))
    make("current_timestamp", 0, lambda: _computed("datetime", (_now(),)))
    make("current_date", 0, lambda: _computed("date", (_now(),)))
    make("current_time", 0, lambda: _computed("time", (_now(),)))
    make("random", 0, lambda: int.from_bytes(chance.draw(8), "big", signed=True))
    make("randomblob", 1, lambda count: chance.draw(max(int(count), 1)))


def _date(name: str) -> Callable[..., Any]:
    first = 1 if name == "strftime" else 0

    def date(*given: Any) -> Any:
        if len(given) <= first:
            given = (*given, _now())
        if isinstance(given[first], str) and given[first].lower() == "now":
            given = (*given[:first], _now(), *given[first + 1 :])
        return _computed(name, given)

    return date


def _now() -> float:
    """The time as a Julian day, which every date function takes."""
    return clock.time_ns() / 86_400e9 + 2_440_587.5


def _computed(name: str, given: tuple[Any, ...]) -> Any:
    global _plain
    if _plain is None:
        _plain = _C_CONNECTION(":memory:")
    marks = ", ".join("?" * len(given))
    return _plain.execute(f"SELECT {name}({marks})", given).fetchone()[0]


def _connect(database: Any, *args: Any, factory: Any = None, **kwargs: Any) -> Any:
    """Open a database in memory."""
    kwargs.pop("uri", None)
    name = checked(database)
    return (factory or Connection)(name, *args, **kwargs)


def install() -> None:
    Connection.__module__, Connection.__qualname__ = "sqlite3", "Connection"
    for module in (sqlite3, sqlite3.dbapi2):
        instead(module, "connect", _connect)
        module.Connection = Connection  # type: ignore[misc]
