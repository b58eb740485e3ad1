"""The one way out of a guest: every call, and everything printed, becomes a string handed to `invoke`.

What a program prints is kept back and rides along with its next call, or goes alone once there is enough of it; so a
script that prints a thousand lines and reads one file makes a few requests, and what the person sees keeps its order.
Each call carries the program's line that makes it. The kernel takes that as a claim and only ever shows it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from agentos.sdk.errors import AgentError, Invalid, Unavailable, from_record

Invoke = Callable[[str], str]

FLUSH_AT = 8 * 1024
# Escaped as JSON a character can grow sixfold: what is kept back stays below 1 MiB of a request.
PIECE = 128 * 1024
# A cell that sends a frame over 8 MiB is killed: better to tell the program. The rest is for what it printed.
CALLS = 7 * 1024 * 1024

# json.dumps would make one for each call.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_invoke: Invoke | None = None
_program = ""
_printed: list[tuple[int, str]] = []
_waiting = 0


def connect(invoke: Invoke | None) -> Invoke | None:
    """Send calls to `invoke` from now on; None disconnects. Returns what was connected before."""
    global _invoke
    before, _invoke = _invoke, invoke
    return before


def program(name: str) -> None:
    """Name the file whose lines calls are attributed to: the `co_filename` of the program's code."""
    global _program
    _program = name


def call(action: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Make one call, `capability.action`; return its reply or raise an `AgentError`."""
    answer = _exchange([(action, args)])[0]
    if isinstance(answer, AgentError):
        raise answer
    return answer


def gather(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any] | AgentError]:
    """Make several calls in one request, side by side; each slot of the answer is a reply or an error."""
    return _exchange(calls) if calls else []


def printed(stream: int, text: str) -> None:
    """Keep text for standard output (1) or standard error (2) until the next call, or until it is enough to send."""
    global _waiting
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE]
        if _printed and _printed[-1][0] == stream:
            piece = _printed.pop()[1] + piece
        _printed.append((stream, piece))
        _waiting += min(len(text) - start, PIECE)
        if _waiting >= FLUSH_AT:
            flush()


def flush() -> None:
    """Send what was printed, if anything."""
    if _printed:
        _exchange([])


def take_printed() -> list[list[int | str]]:
    """What was printed and not yet sent, as the `out` of a request or of a run's reply; it counts as sent."""
    global _waiting
    taken: list[list[int | str]] = [[stream, text] for stream, text in _printed]
    _printed.clear()
    _waiting = 0
    return taken


def _exchange(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any] | AgentError]:
    if _invoke is None:
        raise Unavailable(
            "this program is not running under Agent OS",
            "run it with: agentos run PROGRAM; or try it in agentos.sdk.testing",
        )
    line = _line() if calls else 0
    # Before anything printed is taken, so that a bad argument loses none of it.
    asked = _encode([{"action": action, "args": args, "line": line} for action, args in calls])
    out = take_printed()
    request = f'{{"out":{_encode(out)},"calls":{asked}}}' if out else f'{{"calls":{asked}}}'
    return _results(_invoke(request), len(calls))


def _encode(value: object) -> str:
    text = _encoder.encode(value)
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise Invalid("an argument is not text: it has half of a surrogate pair", "pass bytes instead") from None
    if size > CALLS:
        raise Invalid(f"the call has {size} bytes, and at most {CALLS} fit", "send it in smaller pieces", "too_large")
    return text


def _results(reply: str, count: int) -> list[dict[str, Any] | AgentError]:
    answer = json.loads(reply)
    if "error" in answer:
        raise from_record(answer["error"])
    results = answer.get("results", [])
    if len(results) != count:
        raise Unavailable("the kernel's reply does not fit the request")
    return [from_record(result["error"]) if "error" in result else result.get("value", {}) for result in results]


def _line() -> int:
    """The line of the program that is being run now; 0 where no frame of it is on the stack."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  (inspect.currentframe is the same, three calls later)
    while frame is not None:
        if frame.f_code.co_filename == _program:
            return frame.f_lineno
        frame = frame.f_back
    return 0
