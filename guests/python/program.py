"""A program's life in the guest: compiled once, run from the stored code object, ended with a status.

A run is the same each time it is played only if it always comes in by the same door. So a program is never run from its
source: `compiled` makes the code object, in a run of its own, and `run` takes nothing else. The source comes along only
for tracebacks. Every instance begins as the same image, since what was done before shows: in the order of a set of
objects, for one.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import json
import marshal
import sys
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from agentos.guests.python.shims import descriptors, place, trace
from agentos.sdk import wire
from agentos.sdk.errors import AgentError, LimitExceeded

Answer = dict[str, Any]

REPLY = 6 * 1024 * 1024
WORDS = 1000
# What a `main` may ask for by the names of its parameters.
GIVEN = ("input", "state")
NOT_CALLED = "main({0}) was not called: it gets the input where its parameter is named so, main(input)\n"


def compiled(source: str, name: str) -> Answer:
    """The code object of a program, or what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, name, "exec", dont_inherit=True)
        return {"code": b64encode(marshal.dumps(code)).decode()}
    except SyntaxError as error:
        where = f" ({name}, line {error.lineno})" if error.lineno else f" ({name})"
        return _invalid(f"{type(error).__name__}: {error.msg}{where}", error.lineno or 0)
    except (MemoryError, RecursionError):
        return _invalid(f"the program is nested too deeply, or too large to compile ({name})")
    except (ValueError, OverflowError) as error:
        return _invalid(f"{type(error).__name__}: {error} ({name})")


def _invalid(reason: str, line: int = 0) -> Answer:
    return {"error": {"code": "invalid", "reason": reason, "hint": "correct the program", "line": line}}


def run(code: str, source: str, invoke: Callable[[str], str]) -> str:
    """Load a program, wait until it may run, and run it to its end.

    Of its code object, as marshal writes it, and of its source each byte is a letter, so that nothing has to read
    through them: JSON with base64 in it took longer than all else before the first line. What this one run is told
    comes after the program is loaded, and that may have been hours before.
    """
    loaded = marshal.loads(code.encode("latin-1"))
    name = loaded.co_filename
    main = ModuleType("__main__")
    main.__file__ = name
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = main
    trace.remember(name, source)
    wire.connect(invoke)
    wire.program(name)
    told = marshal.loads(invoke("").encode("latin-1"))
    sys.argv[:] = sys.orig_argv[:] = [name, *told.get("arguments", ())]
    place.begin(told.get("start_folder", "/"), told.get("home_folder", "/"))
    invoke("")
    try:
        answer = {"status": "done", "result": _result(loaded, main, told)}
    except BaseException as error:
        answer = _ended(error, main)
    return _closed(answer)


def _result(code: CodeType, main: ModuleType, told: Mapping[str, str]) -> object:
    names = main.__dict__
    try:
        exec(code, names)
        function = names.get("main")
        required = _required(function) if callable(function) else []
        wanted = _wanted(required)
        if callable(function) and wanted:
            value = function(*(json.loads(told[name]) if told.get(name) else None for name in wanted))
            value = asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value
        else:
            value = names.get("result")
            if told.get("input") not in (None, "", "null") and len(required) == 1:
                wire.printed(2, NOT_CALLED.format(*required))
    finally:
        _leave()
    return value


async def _awaited(value: Any) -> object:
    return await value


def _required(function: Any) -> list[str]:
    """The names of the parameters that a call has to give by their place."""
    if type(function) is FunctionType:
        code, optional = function.__code__, len(function.__defaults__ or ())
        return list(code.co_varnames[: code.co_argcount - optional])
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in parameters if each.kind in positional and each.default is each.empty]


def _wanted(required: list[str]) -> list[str]:
    """What `main` gets: `input`, `state`, or both in its order, where these are its first parameters and required."""
    return [name for name in required if name in GIVEN] if "input" in required or required == ["state"] else []


_registered = 0


def settle() -> None:
    """Note what the standard library registered for the end, at build time: only what a program adds is run."""
    global _registered
    _registered = atexit._ncallbacks()


def _leave() -> None:
    if atexit._ncallbacks() != _registered:
        atexit._run_exitfuncs()
    descriptors.finish()


def _ended(error: BaseException, main: ModuleType) -> Answer:
    """How a run ended that an exception ended."""
    if isinstance(error, SystemExit):
        return _exited(error, main)
    if isinstance(error, MemoryError):
        main.__dict__.clear()
        error.__traceback__ = None
        hint = 'use less at a time, or ask for more in the manifest: limits = { memory = "256MiB" }'
        return _failure("limit", LimitExceeded("the program ran out of memory", hint), "")
    status = "failed"
    if isinstance(error, AgentError):
        status = {"denied": "refused", "needs_approval": "refused", "limit": "limit"}.get(error.code, "failed")
    return _failure(status, error, trace.text_of(error))


def _failure(status: str, error: BaseException, text: str) -> Answer:
    if isinstance(error, AgentError):
        words = {name: _short(str(getattr(error, name))) for name in ("reason", "hint", "detail")}
        record = {"code": error.code, **words}
    else:
        record = {"code": "invalid", "reason": _line(error), "hint": "", "detail": ""}
    if text:
        wire.printed(2, text)
    return {"status": status, "result": None, "error": record, "traceback": text}


def _line(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "<exception str() failed>"
    return _short(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _short(text: str) -> str:
    """What may be said of an error: no more than a few lines, and no half of a surrogate pair."""
    return text[:WORDS].encode("utf-8", "backslashreplace").decode()


def _exited(error: SystemExit, main: ModuleType) -> Answer:
    code = error.code
    if code is None or code == 0:
        return {"status": "done", "result": main.__dict__.get("result")}
    if not isinstance(code, int):
        wire.printed(2, f"{code}\n")
    record = {"code": "invalid", "reason": _line(error), "hint": "", "detail": ""}
    return {"status": "failed", "result": None, "error": record, "traceback": ""}


def _closed(answer: Answer) -> str:
    """The reply. A result that is not JSON, or that no frame holds, is a failure of the program."""
    try:
        result = json.dumps(answer.pop("result"), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(result.encode())
        fault = f"the result has {size} bytes, and at most {REPLY} fit" if size > REPLY else ""
    except (TypeError, ValueError, RecursionError) as error:
        result, fault = "null", _short(f"the result is not JSON: {error}")
    if fault:
        result = "null"
        answer = {
            "status": "failed", "traceback": "",
            "error": {"code": "invalid", "reason": fault, "hint": "return numbers, text, lists, dicts", "detail": ""},
        }  # fmt: skip
    answer["out"] = wire.take_printed()
    rest = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    return f'{{"result":{result},{rest[1:]}'
