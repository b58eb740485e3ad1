"""Writes a module of the SDK as Python text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from agentos.sdk.generate.model import Action, Enum, Message, Module, Value

WIDTH = 116
EMPTY = {"int": "0", "float": "0.0", "bool": "False"}
BUILTINS = ("str", "bytes", "int", "float", "bool", "tuple")


ByHand = tuple[str, Iterable[str]] | None


def render(module: Module, by_hand: ByHand = None) -> str:
    """The module's text. `by_hand` is another module and the names of it to offer here as well."""
    return _Writer(module).text(by_hand)


class _Writer:
    def __init__(self, module: Module) -> None:
        self.module = module
        values = [value.name for message in module.messages.values() for value in message.values]
        hidden = {action.name for action in module.actions} | set(values)
        # An action called bytes hides the type of that name from the rest of its module.
        self.hidden = [name for name in BUILTINS if name in hidden]

    def text(self, by_hand: ByHand) -> str:
        parts = [self._enum(enum) for enum in self.module.enums.values()]
        parts += [self._message(message) for message in self.module.messages.values()]
        parts += [self._action(action) for action in self.module.actions]
        about = f"{self.module.about[:1].upper()}{self.module.about[1:]}."
        made = (
            f"Generated from {self.module.source} by `python -m agentos.sdk.generate`: change the proto, not this file."
        )
        return "\n\n".join([_quoted(f"{about}\n\n{made}"), self._imports("\n".join(parts), by_hand), *parts])

    def _imports(self, body: str, by_hand: ByHand) -> str:
        wanted = [name for name in ("Call", "Path", "Reply", "WireEnum", "action") if re.search(rf"\b{name}\b", body)]
        lines = ["from __future__ import annotations", ""]
        lines += ["import builtins"] if "builtins." in body else []
        lines += ["from base64 import b64decode"] if "b64decode(" in body else []
        lines += ["from dataclasses import dataclass"] if "@dataclass" in body else []
        lines += ["", f"from agentos.sdk.calls import {', '.join(wanted)}"] if wanted else []
        lines += [f"from {by_hand[0]} import {', '.join(by_hand[1])}"] if by_hand else []
        return "\n".join([*lines, "", f"__all__ = {self._names(by_hand)!r}"])

    def _names(self, by_hand: ByHand) -> list[str]:
        own = [*self.module.enums, *self.module.messages, *(action.name for action in self.module.actions)]
        return sorted([*own, *(by_hand[1] if by_hand else ())])

    def _enum(self, enum: Enum) -> str:
        lines = [f"class {enum.name}(WireEnum):", *_docstring(enum.doc)]
        for name, doc in enum.members:
            lines += [f"    {name} = {name.lower()!r}", *_docstring(doc)]
        lines += [
            "",
            "    @classmethod",
            f"    def prefix(cls) -> {self._plain('str')}:",
            f"        return {enum.prefix!r}",
        ]
        return "\n".join(lines)

    def _message(self, message: Message) -> str:
        lines = ["@dataclass(frozen=True, slots=True)", f"class {message.name}:", *_docstring(message.doc)]
        for value in message.values:
            lines += [f"    {value.name}: {self._plain(value.type)} = {value.default}", *_docstring(value.doc)]
        lines += [
            "",
            "    @classmethod",
            f"    def from_wire(cls, reply: Reply) -> {message.name}:",
            "        return cls(",
        ]
        lines += [f"            {value.name}={self._read(value)}," for value in message.values]
        return "\n".join([*lines, "        )"])

    def _action(self, action: Action) -> str:
        about = [f"{value.name}: {self._plain(value.type)}" for value in action.takes if value.about]
        rest = [
            f"{value.name}: {self._plain(value.type)} = {value.default}" for value in action.takes if not value.about
        ]
        takes = ", ".join([*about, *(["*", *rest] if rest else [])])
        args = ", ".join(f"{value.wire!r}: {value.name}" for value in action.takes)
        returns, decode = self._returns(action.returns)
        lines = ["@action", f"def {action.name}({takes}) -> Call[{returns}]:", *_docstring("\n".join(_doc(action)))]
        return "\n".join([*lines, f"    return Call({action.full!r}, {{{args}}}, {decode})"])

    def _returns(self, reply: Message) -> tuple[str, str]:
        """A reply's Python type and what reads it: a message, its one field, or nothing."""
        if reply.name:
            return reply.name, f"{reply.name}.from_wire"
        if not reply.values:
            return "None", "lambda _: None"
        value = reply.values[0]
        if value.type in (f"{name} | None" for name in self.module.messages):
            decode = value.decode.format(f"reply.get({value.wire!r}, {{}})")
            return value.type.removesuffix(" | None"), f"lambda reply: {decode}"
        return self._plain(value.type), f"lambda reply: {self._read(value)}"

    def _read(self, value: Value) -> str:
        decode = self._plain(value.decode)
        if value.default == "None":
            return f"{decode.format(f'reply[{value.wire!r}]')} if {value.wire!r} in reply else None"
        empty = "()" if value.default == "()" else EMPTY.get(value.type, '""')
        return decode.format(f"reply.get({value.wire!r}, {empty})")

    def _plain(self, text: str) -> str:
        for name in self.hidden:
            text = re.sub(rf"\b{name}\b", f"builtins.{name}", text)
        return text


def _doc(action: Action) -> Iterator[str]:
    yield action.doc
    bounds = f", bounded by {' and '.join(action.bounds)}" if action.bounds else ""
    allowed = f"Needs a grant of {' or '.join(action.granted_by)}{bounds}."
    yield f"\n{allowed if action.granted_by else 'Every program may make this call.'}"
    explained = [f"{value.name}: {' '.join(value.doc.split())}" for value in action.takes if value.doc]
    yield from ["", *explained] if explained else []


def _docstring(text: str) -> list[str]:
    return textwrap.indent(_quoted(text), "    ").splitlines() if text else []


def _quoted(text: str) -> str:
    # A quote at the very end would run into the closing ones.
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = f'{text[:-1]}\\"' if text.endswith('"') else text
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH - 4) or [""]]
    return '"""' + "\n".join(lines) + ('\n"""' if len(lines) > 1 else '"""')
