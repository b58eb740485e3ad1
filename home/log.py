"""The kernel's log: what happened in it, one JSON object a line, for whoever keeps it running.

Of a record only what is listed in TOLD is said, and of that only numbers and ids that we gave; of an exception its type
and the lines of ours that it came through, never its words. So there is no text in a line that a program, a server or
the person wrote, and no path: the log may lie unencrypted, and be shown to anybody. What a call was about is in the
journal: agentos show RUN. A call that went well is no line.

It lies beside the home's head, with three older ones of the same size; under a service that has a journal it goes there
instead. Where the disk refuses a line, it is left out and counted: nothing waits for the log, and nothing fails of it.

Rejected: structlog. It is made for values that come from anywhere, and here every value must be known by name.
"""

from __future__ import annotations

import logging
import os
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from agentos.home.history import Record
from agentos.home.records import CallMade, CallSettled

MAX_BYTES = 4 << 20
OLD = 3
MAX_FRAMES = 8
ROOMS = Path(__file__).parent.parent
TOLD = (
    "run", "id", "prompt", "parent", "seq", "status", "calls", "refused", "queued_us", "cell_us", "took_us",
    "until_ms", "uses", "released", "tries", "on",
)  # fmt: skip
OURS = re.compile(r"[a-z][0-9]{1,15}")
Value = str | int | list[str]
Name = Callable[[int], str]


class Log:
    """Lines of one kernel. `status` and `code` name the numbers of control.proto and error.proto."""

    def __init__(self, path: Path | None, status: Name, code: Name) -> None:
        """Without a path lines go to standard error."""
        self.lines = self.left_out = 0
        self._path, self._names = path, {"status": status, "code": code}
        self._descriptor, self._size, self._wanted = 2, 0, path is None
        self._heard = _Complaints(self)
        self._open()

    def note(self, record: Record) -> None:
        """Say that this was recorded, if it is worth a line."""
        fault = getattr(record, "fault", None)
        if isinstance(record, CallMade | CallSettled) and fault is None:
            return
        fields = {name: value for name in TOLD if (value := getattr(record, name, None)) not in (None, "")}
        known = {name: value for name, value in fields.items() if isinstance(value, int) or _ours(value)}
        self.say(str(record.__struct_config__.tag), **known, **({"code": fault.code} if fault else {}))

    def fault(self, wrong: BaseException | None) -> None:
        """Say that something of ours went wrong: the newest lines of ours last."""
        frames = traceback.extract_tb(wrong.__traceback__) if wrong else []
        ours = [(Path(each.filename), each.lineno) for each in frames]
        where = [f"{path.relative_to(ROOMS)}:{line}" for path, line in ours if path.is_relative_to(ROOMS)]
        self.say("kernel.fault", type=type(wrong).__name__, at=where[-MAX_FRAMES:])

    def hear(self) -> None:
        """Take what asyncio, grpc and other libraries complain about, which would go to standard error."""
        logging.getLogger().addHandler(self._heard)

    def say(self, event: str, **fields: Value) -> None:
        named: dict[str, Value] = {
            name: self._names[name](value) if name in self._names and isinstance(value, int) else value
            for name, value in fields.items()
        }
        line = msgspec.json.encode({"at_ms": time.time_ns() // 1_000_000, "event": event, **named}) + b"\n"
        try:
            if self._path and self._size + len(line) > MAX_BYTES:
                self._turn()
            self._size += os.write(self._descriptor, line) if self._wanted else 0
            self.lines += 1
        except OSError:
            self.left_out += 1

    def statistics(self) -> dict[str, int]:
        """Lines that were said, and those that the disk refused."""
        return {"lines": self.lines, "left_out": self.left_out}

    def close(self) -> None:
        logging.getLogger().removeHandler(self._heard)
        self._shut()

    def _shut(self) -> None:
        if self._path and self._wanted:
            os.close(self._descriptor)
        self._wanted = False

    def _open(self) -> None:
        if self._path is None:
            return
        try:
            flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            self.left_out += 1
            return
        self._size, self._wanted = os.fstat(self._descriptor).st_size, True

    def _turn(self) -> None:
        """Begin anew; what was kernel.log is kernel.log.1, and the oldest is gone."""
        path = self._path
        if path is None:
            return
        self._shut()
        for number in range(OLD, 0, -1):
            older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number}"))
        self._open()


class _Complaints(logging.Handler):
    """What goes through `logging`: never more of it than an exception's type and our lines."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        wrong = record.exc_info[1] if record.exc_info else None
        if type(wrong).__module__.startswith("google.protobuf"):
            self._log.say("request.unreadable")  # what somebody sent is no message: that is no fault of the kernel's
        else:
            self._log.fault(wrong)


def _ours(value: object) -> bool:
    return isinstance(value, str) and OURS.fullmatch(value) is not None


def beside(head: Path) -> Path | None:
    """Where the log goes: beside the head, or nowhere where standard error is a service's journal."""
    try:
        at = os.fstat(2)
    except OSError:
        return head.with_name("kernel.log")
    journal = os.environ.get("JOURNAL_STREAM") == f"{at.st_dev}:{at.st_ino}"
    return None if journal else head.with_name("kernel.log")
