"""A capability's proto as the Python it will become: nouns only."""

from __future__ import annotations

from dataclasses import dataclass, field


class Unsupported(Exception):
    """A proto uses something that has no form in the SDK; says what and where."""


@dataclass(frozen=True)
class Value:
    """One field of a message, or one argument of an action."""

    name: str
    wire: str
    type: str
    default: str
    decode: str
    """How its JSON, `{}`, is read when it is there."""
    doc: str
    about: bool = False


@dataclass(frozen=True)
class Message:
    name: str
    doc: str
    values: list[Value]


@dataclass(frozen=True)
class Enum:
    name: str
    doc: str
    prefix: str
    members: list[tuple[str, str]]


@dataclass(frozen=True)
class Action:
    name: str
    full: str
    doc: str
    effect: str
    granted_by: list[str]
    """Actions of which a grant covers this one; empty if every program may make it."""
    bounds: list[str]
    takes: list[Value]
    returns: Message


@dataclass
class Module:
    """One capability, and so one module of the SDK."""

    name: str
    about: str
    source: str
    """The proto it comes from."""
    actions: list[Action] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, Enum] = field(default_factory=dict)
