"""The kit: what a kernel would answer, and a way to run a program against it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor

from agentos.sdk import requests, wire
from agentos.sdk.errors import AgentError, Denied, LimitExceeded, NeedsApproval, Unavailable
from agentos.sdk.testing.children import Begun, Children, Tree
from agentos.sdk.testing.manifest import asked_by, has_block, named
from agentos.sdk.testing.memory import Memory
from agentos.sdk.testing.own import Clock, Console, Events, Random
from agentos.sdk.testing.reader import Reader
from agentos.sdk.testing.rules import Grant, Rules
from agentos.sdk.testing.run import Made, Run, Status
from agentos.sdk.testing.web import Web
from agentos.v1 import files_pb2, net_pb2, own_pb2, pages_pb2
from agentos.v1.paths import canonical_path

NOT_CALLED = "main({0}) was not called: it gets the input where its parameter is named so, main(input)\n"
NOON = 1_767_268_800_000
"""2026-01-01 12:00 UTC, when every test begins."""


class Kit:
    """Stands in for the kernel. `with kit:` connects the SDK to it; `kit.run` runs a whole program.

    `files` are there from the start, by path: absolute, `~/…`, or relative to `start`. `web` is what hosts answer, by
    URL (see `Web`). `grants` are what the person allowed, `asks` what they would be asked about (nobody is there, so
    NeedsApproval), `lines` what they type, `events` what comes for `event.wait_for`, as (name, data). `children` are
    the programs it may start, by the name it starts them under: a `Path` is run here when it is joined, with the same
    files and web; a `Run` is how it ends; anything else is what it returns.
    `serve` adds capabilities: for each name an object with a method per action, which takes the request and the
    bounds and returns the reply, and `protos` their files (`notes_pb2.DESCRIPTOR`).
    """

    def __init__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        grants: Sequence[Grant] = (),
        *,
        asks: Sequence[Grant] = (),
        web: Web | Mapping[str, Any] | None = None,
        lines: Sequence[str] = (),
        events: Sequence[tuple[str, Any]] = (),
        children: Mapping[str, Any] | None = None,
        serve: Mapping[str, object] | None = None,
        protos: Sequence[FileDescriptor] = (),
        start: str = "/home/me",
        home: str = "/home/me",
    ) -> None:
        self._start, self._home = start, home
        ours = files_pb2.DESCRIPTOR, net_pb2.DESCRIPTOR, own_pb2.DESCRIPTOR, pages_pb2.DESCRIPTOR
        self._rules = Rules((*ours, *protos), grants, asks)
        self.clock = Clock(NOON)
        self._memory = Memory(lambda: self.clock.unix_ms, folders=(start, home))
        for path, content in (files or {}).items():
            self._memory.put(self._path(path), content.encode() if isinstance(content, str) else content)
        self._served: dict[str, object] = {"files": self._memory, "clock": self.clock, "random": Random(0)}
        self.web = web if isinstance(web, Web) else Web(web or {})
        self._events = Events(self.clock, events)
        self._served |= {"event": self._events}
        self._tree, self._programs = Tree(self.clock, at_ms=NOON), children or {}
        self._this, self._name = "r1", ""
        self._served |= {
            "children": self._children(),
            "console": Console(lines),
            "net": self.web,
            "pages": Reader(),
            **(serve or {}),
        }
        self._before: list[wire.Invoke | None] = []
        self._out: list[tuple[int, str]] = []
        self.calls: list[Made] = []

    @classmethod
    def under_manifest(
        cls, program: str | Path, files: Mapping[str, str | bytes] | None = None, **options: Any
    ) -> Self:
        """A kit in which the person allowed all that the program's block asks, but what it wants asked always."""
        source = Path(program).read_text(encoding="utf-8")
        grants, asks = asked_by(source)
        kit = cls(files, grants, asks=asks, **options)
        kit._rules.program, kit._rules.file = named(source) or Path(program).stem, Path(program).name
        return kit

    # ---- what is there

    @property
    def files(self) -> dict[str, bytes]:
        """Every file by its absolute path."""
        return self._memory.contents()

    def text(self, path: str) -> str:
        """The text of one file."""
        return self.files[self._path(path)].decode()

    @property
    def output(self) -> str:
        """All that was printed to standard output through the SDK so far."""
        return "".join(text for stream, text in self._out if stream == 1)

    @property
    def errors(self) -> str:
        """All that was printed to standard error."""
        return "".join(text for stream, text in self._out if stream == 2)

    @property
    def sent(self) -> list[tuple[str, Any]]:
        """The events that were sent: names and data."""
        return self._events.sent

    @property
    def children(self) -> dict[str, Run]:
        """How each child ended that was joined or cancelled, at any depth, by the name of its run: r1.4."""
        return {run: each.end for run, each in self._tree.begun.items() if each.end}

    # ---- connecting and running

    def __enter__(self) -> Self:
        self._before.append(wire.connect(self.invoke))
        return self

    def __exit__(self, *_: object) -> None:
        wire.flush()
        wire.connect(self._before.pop())

    def run(self, program: str | Path, *arguments: str, input: Any = None) -> Run:
        """Run a script as the guest does: its result is `main(input)` or its global `result`."""
        path, since, printed = Path(program), len(self.calls), len(self.output)
        self._name = path.name
        with self, _standing_in(path, arguments):
            run = _run(path, input)
        self._tree.end(self._this)
        return Run(run.status, run.result, self.output[printed:], run.error, run.traceback, self.calls[since:])

    def invoke(self, request: str) -> str:
        """One request of a guest, as the kernel would answer it."""
        asked = json.loads(request)
        self._out += [(stream, text) for stream, text in asked.get("out", ())]
        return json.dumps({"results": [self._answer(call) for call in asked["calls"]]})

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        error: AgentError | None = None
        try:
            return {"value": self._value(call["action"], call["args"])}
        except AgentError as refusal:
            error = refusal
            told = {"reason": error.reason, "hint": error.hint, "detail": error.detail}
            return {"error": {"code": error.code, **told}}
        finally:
            self.calls.append(Made(call["action"], call["args"], error, call["line"]))

    def _value(self, action: str, args: Mapping[str, Any]) -> dict[str, Any]:
        asked = self._rules.read(action, args, self._start, self._home)
        bounds = self._rules.admit(asked, self._start, self._home)
        capability, _, name = action.partition(".")
        if capability not in self._served:
            raise Unavailable(f"nothing stands in for {capability} here", "give it: Kit(serve={…})")
        reply = getattr(self._served[capability], name)(asked.request, bounds)
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)

    def _children(self) -> Children:
        folders = self._start, self._home
        return Children(
            self._this, self._tree, self._rules, self._programs, folders, lambda: len(self.calls) + 1, self._play
        )

    def _play(self, run: str, path: Path, begun: Begun) -> Run:
        """A child: what there is around it is the same, what it may do was given to it. We are its kernel meanwhile."""
        source = path.read_text(encoding="utf-8")
        granted, asked = asked_by(source)
        before = dict(vars(self))
        self._rules = self._rules.of_child(
            begun.grants, [*granted, *asked] if has_block(source) else None, named(source) or path.stem, path.name
        )
        self._this, self.calls, self._out = run, [], []
        self._served = {**self._served, "children": self._children(), "console": Console(())}
        try:
            # In a thread of its own, since its parent may be in the middle of an event loop.
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(self.run, path, input=begun.input).result()
        finally:
            vars(self).update(before)
            wire.program(self._name)

    def _path(self, path: str) -> str:
        return canonical_path(path, self._start, self._home)


@contextlib.contextmanager
def _standing_in(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    """What a program finds around it: its arguments, and streams that go to the kernel."""
    before, sys.argv = sys.argv, [path.name, *arguments]
    modules = {name: sys.modules.get(name) for name in requests.ALSO_AS}
    sys.modules.update(requests.ALSO_AS)
    wire.program(path.name)
    try:
        with contextlib.redirect_stdout(_Stream(1)), contextlib.redirect_stderr(_Stream(2)):
            yield
    finally:
        sys.argv = before
        for name, module in modules.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _Stream(io.TextIOBase):
    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, text: str) -> int:
        wire.printed(self._number, text)
        return len(text)


def _run(path: Path, given: Any) -> Run:
    space: dict[str, Any] = {"__name__": "__main__", "__file__": path.name}
    try:
        exec(compile(path.read_bytes(), path.name, "exec"), space)  # noqa: S102
        main = space.get("main")
        required = _required(main) if callable(main) else []
        wanted = _wanted(required)
        result = (
            _called(main, [given if name == "input" else None for name in wanted])
            if main and wanted
            else space.get("result")
        )
        if not wanted and given is not None and len(required) == 1:
            wire.printed(2, NOT_CALLED.format(*required))
        json.dumps(result, allow_nan=False)
    except BaseException as error:  # noqa: BLE001  (whatever a program raises is how it ended)
        status = _status(error)
        return Run(status, error=error if status != "done" else None, traceback=traceback.format_exc())
    return Run("done", result)


def _required(main: Callable[..., Any]) -> list[str]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(main).parameters.values()
    return [each.name for each in parameters if each.kind in positional and each.default is each.empty]


def _wanted(required: list[str]) -> list[str]:
    """What `main` gets: `input`, `state` (none, as in its first generation), or both in its order."""
    return (
        [name for name in required if name in ("input", "state")]
        if "input" in required or required == ["state"]
        else []
    )


def _called(main: Callable[..., Any], given: list[Any]) -> Any:
    answer = main(*given)
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer


def _status(error: BaseException) -> Status:
    match error:
        case SystemExit(code=None | 0):
            return "done"
        case Denied() | NeedsApproval():
            return "refused"
        case LimitExceeded() | MemoryError():
            return "limit"
        case _:
            return "failed"
