"""sqlite3 in memory. A database in a file would need locks and pages that no capability gives, and is refused.

SQLite reads the clock and draws randomness by itself; both are replaced by functions of ours. A private connection
computes what the original date functions would, with the kernel's time in the place of `now`.
"""

from __future__ import annotations

import os
import sqlite3
import sqlite3.dbapi2
from collections.abc import Callable
from typing import Any, NoReturn

from agentos.guests.python.shims import chance, clock
from agentos.guests.python.shims.failure import refuse
from agentos.guests.python.shims.replace import instead

_C_CONNECTION = sqlite3.Connection
_C_CURSOR = sqlite3.Cursor
_DATES = ("date", "time", "datetime", "julianday", "unixepoch", "strftime")
_MEMORY = (":memory:", "")
_PLACES = ("temp_store", "temp_store_directory", "data_store_directory")

_plain: Any = None


class Cursor(_C_CURSOR):
    """A cursor that says which file it may not open, where SQLite only says that it is not authorized."""

    def execute(self, *given: Any) -> Any:
        return self._clearly(super().execute, given)

    def executemany(self, *given: Any) -> Any:
        return self._clearly(super().executemany, given)

    def executescript(self, *given: Any) -> Any:
        return self._clearly(super().executescript, given)

    def _clearly(self, run: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        on: Any = self.connection
        on.denied = None
        try:
            return run(*given)
        except sqlite3.DatabaseError:
            if on.denied is None:
                raise
        _no_file(on.denied)


class Connection(_C_CONNECTION):
    """A connection to a database in memory."""

    denied: str | None = None
    """The file that was last not opened."""

    _own: Callable[..., int] | None = None
    _restoring = False

    def __init__(self, database: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(checked(database), *args, **kwargs)
        _prepare(self)
        super().set_authorizer(self._authorize)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or Cursor)

    def execute(self, *given: Any) -> Any:
        return self.cursor().execute(*given)

    def executemany(self, *given: Any) -> Any:
        return self.cursor().executemany(*given)

    def executescript(self, *given: Any) -> Any:
        return self.cursor().executescript(*given)

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
        """No other database is attached but one in memory: `ATTACH` and `VACUUM INTO` would open a file.

        Nor does SQLite put aside in a file what is large; who asks for that gets what there is.
        """
        if action == sqlite3.SQLITE_ATTACH and first not in _MEMORY and not self._restoring:
            self.denied = first or "another one"
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and first in _PLACES and rest[0]:
            return sqlite3.SQLITE_IGNORE
        return sqlite3.SQLITE_OK if self._own is None else self._own(action, first, *rest)


def checked(database: Any) -> str:
    name = os.fsdecode(database)
    if name in _MEMORY or (name.startswith("file:") and ("mode=memory" in name or ":memory:" in name)):
        return ":memory:"
    _no_file(name)


def _no_file(name: str) -> NoReturn:
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
    Connection.__module__ = Cursor.__module__ = "sqlite3"
    for module in (sqlite3, sqlite3.dbapi2):
        instead(module, "connect", _connect)
        module.Connection, module.Cursor = Connection, Cursor  # type: ignore[misc]
