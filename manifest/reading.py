"""What a program may ask, read from its PEP 723 block or from the agent.toml beside it.

A manifest is the ceiling: a call outside it is refused and never asked. So reading is strict. Whatever is unknown,
empty, unenforced, or has two readings is an error that names the file, the line, and the nearest right name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from agentos.manifest import limits as limit_rules
from agentos.manifest import script, triggers
from agentos.manifest.actions import ActionRule, nearest
from agentos.manifest.bounds import defaults, kinds_of, needed
from agentos.manifest.lines import Limits, Manifest, ManifestLine
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import Document, ManifestError, Place, shown
from agentos.manifest.trigger import Trigger
from agentos.v1 import matchers, patterns
from agentos.v1.names import BadName

__all__ = ["Limits", "Manifest", "ManifestError", "ManifestLine", "program_digest", "read", "stem"]

MAX_SOURCE = 1 << 20
# What a program may do that is told of a change.
LOOKS = "files.list"
MAX_LINES = 100
MAX_VALUES = 256
WASM = b"\0asm"
OURS = ("agentos", "agentos-kernel", "agentos-sdk")
KEYS = ("name", "on", "limits", "grants")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")

Table = dict[str, object]


def read(content: bytes, path: str, toml: bytes, toml_path: str, catalog: Catalog, start: str, home: str) -> Manifest:
    """The manifest of a program. `toml` is the agent.toml beside it, empty if there is none. Raises ManifestError."""
    document, top = _in_script(content, path)
    if toml:
        if document is not None:
            raise document.wrong(top, f"the manifest is here and in {shown(toml_path)} too", "keep one of them")
        document, top = Document(_text(toml, toml_path), toml_path), ()
    if document is None:
        return Manifest(stem(path), (), Limits(), False, PurePosixPath(path).name)
    return Reader(document, top, catalog, start, home).manifest(stem(path))


def program_digest(content: bytes, toml: bytes) -> str:
    """Hex SHA-256 of a program at one version: its bytes and those of the agent.toml beside it."""
    digest = hashlib.sha256(b"agentos.program.v1\0")
    for part in (content, toml):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


# ---- where the manifest stands


def _in_script(content: bytes, path: str) -> tuple[Document | None, Place]:
    """The block of a script and where our table stands in it; none in a component or without such a table."""
    if content.startswith(WASM):
        return None, ()
    if len(content) > MAX_SOURCE:
        raise ManifestError(path, 0, f"a script of more than {MAX_SOURCE >> 20} MiB", "read data from a file instead")
    found = script.find(_text(content, path), path)
    if found is None:
        return None, ()
    document = Document(found.text, path, found.first)
    _check_block(document)
    tools = document.table.get("tool", {})
    if not isinstance(tools, dict):
        raise document.wrong(("tool",), "tool is not a table", "write [tool.agentos]")
    for name in tools:
        if name != "agentos" and nearest(name.lower(), ("agentos", "agent-os")):
            raise document.wrong(("tool", name), f"there is no tool.{shown(name)}", "did you mean tool.agentos?")
    return (document, ("tool", "agentos")) if "agentos" in tools else (None, ())


def _text(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise ManifestError(file, line, "not UTF-8", "save it as UTF-8") from None


def _check_block(document: Document) -> None:
    """What PEP 723 puts beside `tool`: no packages but ours can be had in a guest."""
    for key, value in document.table.items():
        if key == "dependencies":
            if not isinstance(value, list):
                raise document.wrong((key,), "dependencies is a list", "take it out")
            for i, name in enumerate(value):
                if name not in OURS:
                    hint = "a guest has the standard library and agentos.sdk; take it out of dependencies"
                    raise document.wrong((key, i), f"the package {shown(str(name))} cannot be had here", hint)
        elif key == "requires-python":  # for other tools: a guest has its own Python, and says so where it matters
            if not isinstance(value, str) or not value:
                raise document.wrong((key,), "requires-python is a text such as >=3.11")
        elif key != "tool":
            hint = "a block has requires-python, dependencies and [tool.agentos]"
            raise document.wrong((key,), f"there is no key {shown(key)} here", hint)


def stem(path: str) -> str:
    """A program's name where it gives none."""
    name = re.sub(r"[^A-Za-z0-9 ._-]", "-", PurePosixPath(path).stem).lstrip(" ._-")[:64]
    return name or "program"


# ---- the table


class Reader:
    """Reads one table. Every method raises ManifestError with the line of what it cannot take."""

    def __init__(self, document: Document, top: Place, catalog: Catalog, start: str, home: str) -> None:
        self._document = document
        self._top = top
        self._catalog = catalog
        self._start = start
        self._home = home

    def manifest(self, fallback: str) -> Manifest:
        table: object = self._document.table
        for key in self._top:
            table = table.get(str(key), {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict):
            raise self._wrong(self._top, "it must be a table", "write [tool.agentos]")
        for key in table:
            self._known(key)
        limits = limit_rules.read(self._document, self._table(table, "limits"), (*map(str, self._top), "limits"))
        lines = tuple(self.lines(self._table(table, "grants")))
        if len(lines) > MAX_LINES:
            raise self._wrong((*self._top, "grants"), f"more than {MAX_LINES} grants", "use wider patterns")
        file = PurePosixPath(self._document.file).name
        on = self._on(table["on"], lines) if "on" in table else ()
        name, texts = self._name(table.get("name", fallback)), tuple(each.text for each in on)
        return Manifest(name, lines, limits, True, file, texts)

    def _on(self, value: object, lines: tuple[ManifestLine, ...]) -> tuple[Trigger, ...]:
        told = tuple(f"{each.name}.{event}" for each in self._catalog.capabilities.values() for event in each.events)

        def watched(text: object, place: Place) -> str:
            return self._watched(text, place, lines)

        return triggers.read(self._document, value, (*self._top, "on"), told, watched)

    def _watched(self, text: object, place: Place, lines: tuple[ManifestLine, ...]) -> str:
        """A pattern of files that a program is told of, which it may look at anyhow."""
        pattern = self._value(self._catalog.actions[LOOKS], "path", text, place)
        looks = [line for line in lines if LOOKS in self._catalog.expand(line.action) and not line.ask_always]
        given = [each for line in looks for name, values in line.bounds if name == "path" for each in values]
        if not any(patterns.contains(matchers.PATH, each, pattern) for each in given):
            hint = f'write "files.read" = {{ path = ["{shown(str(text))}"] }} below grants'
            raise self._wrong(place, f"no line of grants lets it look at {shown(str(text))}", hint)
        return pattern

    def _wrong(self, place: Place, reason: str, hint: str = "") -> ManifestError:
        return self._document.wrong(place, reason, hint)

    def _known(self, key: str) -> None:
        if key not in KEYS:
            near = nearest(key, KEYS)
            hint = f"did you mean {near}?" if near else "keys are " + ", ".join(KEYS)
            if key == "tool" and not self._top:
                hint = "in agent.toml the keys stand at the top, without [tool.agentos]"
            raise self._wrong((*self._top, key), f"there is no key {shown(key)} here", hint)

    def _table(self, table: Table, key: str) -> Table:
        value = table.get(key)
        if key in table and (not isinstance(value, dict) or not value):
            raise self._wrong((*self._top, key), f"{key} is empty or not a table", f"leave {key} out, or fill it")
        return value if isinstance(value, dict) else {}

    def _name(self, value: object) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            hint = "a name is 1 to 64 letters, digits, spaces, dots, dashes, underscores"
            raise self._wrong((*self._top, "name"), "this cannot be a name", hint)
        return value

    # ---- grants

    def lines(self, grants: Table) -> Iterator[ManifestLine]:
        for action, value, place in self._spelled(grants):
            rule = self._action(action, place)
            entries = value if isinstance(value, list) else [value]
            for i, entry in enumerate(entries):
                yield self._line(rule, entry, (*place, i) if isinstance(value, list) else place)
            if not entries:
                raise self._wrong(place, f"{action} has an empty list", self._example(rule))

    def _spelled(self, grants: Table) -> Iterator[tuple[str, object, Place]]:
        """Each action with its value and place, from `"files.read" = …` or from `files.read = …`."""
        top = (*self._top, "grants")
        quoted = ["." in key for key in grants]
        if any(quoted) and not all(quoted):
            other = list(grants)[quoted.index(not quoted[0])]
            raise self._wrong((*top, other), "two spellings of actions", 'write each as "files.read", in quotes')
        for key, value in grants.items():
            if "." in key:
                yield key, value, (*top, key)
                continue
            if key not in self._catalog.capabilities:
                raise self._unknown("capability", key, self._catalog.capabilities, (*top, key))
            if not isinstance(value, dict) or not value:
                raise self._wrong((*top, key), f"{key} names no action", self._actions_of(key))
            for action, inner in value.items():
                yield f"{key}.{action}", inner, (*top, key, action)

    def _unknown(self, kind: str, name: str, known: Iterable[str], place: Place) -> ManifestError:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else "see: agentos capabilities"
        return self._wrong(place, f"there is no {kind} {shown(name)}", hint)

    def _actions_of(self, capability: str) -> str:
        return "actions are " + ", ".join(self._catalog.capabilities[capability].actions)

    def _action(self, action: str, place: Place) -> ActionRule:
        rule = self._catalog.actions.get(action)
        capability, _, last = action.partition(".")
        if rule is None and capability in self._catalog.capabilities:
            near = nearest(last, [name.partition(".")[2] for name in self._catalog.capabilities[capability].actions])
            hint = f"did you mean {capability}.{near}?" if near else self._actions_of(capability)
            raise self._wrong(place, f"there is no action {shown(action)}", hint)
        if rule is None:
            # Of `secrets.read` nothing is meant that is called `net.read`.
            meant = nearest(capability, self._catalog.capabilities)
            known = self._catalog.capabilities[meant].actions if meant else ()
            raise self._unknown("action", action, known, place)
        if rule.inherent:
            raise self._wrong(place, f"{action} needs no grant", "every program may call it: take the line out")
        return rule

    def _line(self, rule: ActionRule, entry: object, place: Place) -> ManifestLine:
        if not isinstance(entry, dict):
            raise self._wrong(place, f"{rule.name} needs a table of bounds", self._example(rule))
        if "ask" in entry and entry["ask"] != "always":
            raise self._wrong((*place, "ask"), 'ask can only be "always"', "leave ask out to be asked once")
        wanted = {key: value for key, value in entry.items() if key != "ask"}
        bounds = {key: self._bound(rule, key, value, (*place, key)) for key, value in wanted.items()}
        for bound in needed(rule):
            if bound not in bounds:
                reason = f"{rule.name} needs its bound {bound}: leaving it out never means all"
                raise self._wrong(place, reason, self._example(rule))
        where = f"{PurePosixPath(self._document.file).name}:{self._document.line(place)}"
        return ManifestLine(
            rule.name,
            tuple(sorted((defaults(rule) | bounds).items())),
            "ask" in entry,
            shown(where),
            _written(rule, wanted),
        )

    def _example(self, rule: ActionRule) -> str:
        samples = {matchers.PATH: "notes/**", matchers.HOST: "example.com", matchers.MAIL: "name@example.com"}
        kinds = kinds_of(rule)
        parts = [f'{bound} = ["{samples.get(kinds[bound], "…")}"]' for bound in needed(rule)]
        return f'write "{rule.name}" = {{ {", ".join(parts)} }}' if parts else f'write "{rule.name}" = {{}}'

    def _bound(self, rule: ActionRule, key: str, value: object, place: Place) -> tuple[str, ...]:
        kinds = kinds_of(rule)
        if key not in kinds:
            near = nearest(key, (*kinds, "ask"))
            hint = f"did you mean {near}?" if near else "bounds are " + ", ".join(kinds)
            raise self._wrong(place, f"{rule.name} has no bound {shown(key)}", hint)
        if kinds[key] in matchers.COUNTED:
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise self._wrong(place, f"{key} is one amount", "write a number such as 500, or 10MiB in quotes")
            return (self._canonical(kinds[key], str(value), place),)
        values = value if isinstance(value, list) else [value]
        if not values:
            hint = self._example(rule) if key in needed(rule) else f"leave {key} out, or fill it"
            raise self._wrong(place, f"{key} is an empty list", hint)
        if len(values) > MAX_VALUES:
            raise self._wrong(place, f"{key} has more than {MAX_VALUES} values", "use wider patterns")
        listed = isinstance(value, list)
        return tuple(
            sorted({self._value(rule, key, text, (*place, i) if listed else place) for i, text in enumerate(values)})
        )

    def _value(self, rule: ActionRule, key: str, text: object, place: Place) -> str:
        """One value of a bound that is compared, canonical."""
        matcher = kinds_of(rule)[key]
        if matcher == matchers.PORT and isinstance(text, int):
            text = str(text)
        if not isinstance(text, str):
            raise self._wrong(place, f"{key} is a text or a list of texts", self._example(rule))
        among = next((field.among for field in rule.fields if field.bound == key), ())
        pattern = self._canonical(matcher, text, place, _one_of(among))
        if among and pattern not in among:
            near = nearest(pattern, among)
            hint = f"did you mean {near}? {_one_of(among)}" if near else _one_of(among)
            raise self._wrong(place, f"{key} cannot be {shown(pattern)}", hint)
        if matcher == matchers.PATH:
            self._reachable(rule, pattern, place)
        return pattern

    def _canonical(self, matcher: int, text: str, place: Place, hint: str = "") -> str:
        try:
            return patterns.canonical_pattern(matcher, text, self._start, self._home)
        except BadName as bad:
            raise self._wrong(place, f"{shown(text)}: {bad}" if text else str(bad), hint) from None

    def _reachable(self, rule: ActionRule, pattern: str, place: Place) -> None:
        """A line that no call could ever be under is a mistake of its author."""
        for never in self._catalog.capabilities[rule.capability].never:
            if patterns.contains(matchers.PATH, never, pattern):
                raise self._wrong(place, f"no grant reaches {shown(never)}", "take it out")


def _one_of(among: Iterable[str]) -> str:
    values = ", ".join(among)
    return f"it is one of {values}" if values else ""


def _written(rule: ActionRule, wanted: Table) -> str:
    """The bounds as the author wrote them; with their names where there are several."""
    parts = []
    for key, value in wanted.items():
        texts = ", ".join(shown(str(text)) for text in (value if isinstance(value, list) else [value]))
        parts.append(texts if [key] == list(needed(rule)) == list(wanted) else f"{key} {texts}")
    return "; ".join(parts)
