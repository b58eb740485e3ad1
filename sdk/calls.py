"""A call as a value, to make several at once: `gather(files.read.call("a.md"), files.stat.call("b.md"))`."""

from __future__ import annotations

import functools
import inspect
import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from agentos.sdk import wire
from agentos.sdk.errors import AgentError

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

Reply = Mapping[str, Any]
"""A reply as it came: the proto3 JSON mapping with snake_case names; absent means default."""

Path = str | os.PathLike[str]
"""Absolute, `~/…`, or relative to the folder the run was started from."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R_co]):
    """One call, not yet made. Call it, or hand it to `gather`."""

    action: str
    args: Mapping[str, Any]
    decode: Callable[[Reply], R_co]

    def __call__(self) -> R_co:
        return self.decode(wire.call(self.action, self.encoded()))

    def encoded(self) -> dict[str, Any]:
        return {name: encode(value) for name, value in self.args.items() if value is not None}


class Action(Protocol[P, R_co]):
    """What a generated module is made of: call it to make the call, or `.call(…)` to have it as a value."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R_co]: ...


def action(build: Callable[P, Call[R]]) -> Action[P, R]:
    """Turn a function that builds a call into one that makes it, keeping the builder as its `.call`."""

    @functools.wraps(build)
    def make(*args: P.args, **kwargs: P.kwargs) -> R:
        return build(*args, **kwargs)()

    signature = inspect.signature(build)
    returns = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    make.__dict__.update(__signature__=signature.replace(return_annotation=returns), call=build)
    return cast(Action[P, R], make)


class WireEnum(StrEnum):
    """An enum of a proto: lower-case words here, prefixed names on the wire. Unknown ones read as UNSPECIFIED."""

    @classmethod
    def prefix(cls) -> str:
        """What every name of it begins with on the wire: FILE_KIND_."""
        return ""

    @classmethod
    def from_wire(cls, name: object) -> Self:
        word = str(name).removeprefix(cls.prefix()).lower()
        return cls(word if word in cls._value2member_map_ else "unspecified")


_AS_IT_IS = frozenset({str, int, bool, float})


def encode(value: Any) -> Any:
    """A Python value as the wire has it."""
    if type(value) in _AS_IT_IS:  # nearly every one, and to find out below that it is no other takes ten times as long
        return value
    match value:
        case WireEnum():
            return value.prefix() + value.value.upper()
        case bytes() | bytearray() | memoryview():
            return b64encode(value).decode("ascii")
        case os.PathLike():
            return os.fspath(value)
        case list() | tuple():
            return [encode(item) for item in value]
        case Mapping():
            return {str(key): encode(item) for key, item in value.items()}
        case _ if is_dataclass(value):
            parts = ((field.name, getattr(value, field.name)) for field in fields(value))
            return {name: encode(part) for name, part in parts if part is not None}
        case _:
            return value


@overload
def gather(a: Call[A], b: Call[B], /) -> tuple[A | AgentError, B | AgentError]: ...
@overload
def gather(a: Call[A], b: Call[B], c: Call[C], /) -> tuple[A | AgentError, B | AgentError, C | AgentError]: ...
@overload
def gather(
    a: Call[A], b: Call[B], c: Call[C], d: Call[D], /
) -> tuple[A | AgentError, B | AgentError, C | AgentError, D | AgentError]: ...
@overload
def gather(*calls: Call[R]) -> tuple[R | AgentError, ...]: ...
def gather(*calls: Call[Any]) -> tuple[Any, ...]:
    """Make several calls in one request, side by side.

    Each has its own slot in the answer, in order: its reply, or the error it would have raised. What asks the person
    is put to them as one question.
    """
    answers = wire.gather([(call.action, call.encoded()) for call in calls])
    return tuple(_settled(call, answer) for call, answer in zip(calls, answers, strict=True))


def _settled(call: Call[Any], answer: Reply | AgentError) -> Any:
    if isinstance(answer, AgentError):
        return answer
    try:
        return call.decode(answer)
    except AgentError as error:  # what is read on, such as a redirect, may fail by itself
        return error
