"""What the kernel knows of capabilities and their actions: nouns, filled from descriptors by `catalog`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec
from google.protobuf.message import Message

from agentos.v1 import annotations_pb2, matchers


class CatalogError(Exception):
    """A capability that cannot be loaded: `reason` names the place, `hint` what to do there."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class FieldRule(msgspec.Struct, frozen=True):
    """One annotated field of a request: its matcher, and the manifest's key for it; 0 and "" where it has none.

    `default` is the bound where a manifest leaves it out, `among` all values that there are (none means any).
    """

    field: str
    bound: str
    matcher: int
    leads: bool
    content: bool
    default: tuple[str, ...] = ()
    among: tuple[str, ...] = ()

    @property
    def usual(self) -> str:
        """What a request means that leaves the field empty; itself empty where it may not."""
        if self.matcher == matchers.URL_PATH:
            return "/"
        return self.default[0] if self.default and self.matcher in (matchers.EXACT, matchers.PORT) else ""


class ActionRule(msgspec.Struct, frozen=True):
    """One action. `name` is files.read, `method` is /agentos.v1.FilesService/Read.

    `inherent` is what every program may call, `own` what the kernel serves, `foreign` what returns untrusted data.
    `again` is an annotations_pb2.Again, where `again_field` has one of `again_among`.
    """

    name: str
    capability: str
    effect: int
    implies: tuple[str, ...]
    summary: str
    prepare: bool
    inherent: bool
    fields: tuple[FieldRule, ...]
    method: str
    request: type[Message]
    response: type[Message]
    about: str
    own: bool = False
    foreign: bool = False
    again: int = annotations_pb2.AGAIN_UNSPECIFIED
    again_field: str = ""
    again_among: tuple[str, ...] = ()

    def contents(self) -> list[str]:
        """The fields that carry what the person's data says: they are shown nowhere."""
        return [field.field for field in self.fields if field.content]

    def matchers(self) -> dict[str, int]:
        """The matcher of each bound, by the manifest's key."""
        return {field.bound: field.matcher for field in self.fields if field.matcher}

    def needed(self) -> tuple[str, ...]:
        """The bounds that no manifest line may leave out: empty never means all."""
        stated = {field.bound for field in self.fields if field.matcher in (*matchers.BY_VALUE, matchers.AT_USE)}
        return tuple(sorted(stated - set(self.defaults())))

    def defaults(self) -> dict[str, tuple[str, ...]]:
        """The bounds that a manifest line may leave out, and what they are then."""
        return {field.bound: tuple(sorted(field.default)) for field in self.fields if field.default}


class CapabilityRule(msgspec.Struct, frozen=True):
    """One capability: what its service says, and how its server is run.

    `folders` is ("granted",) for the roots of live grants, else absolute paths or `~/…`. `keeps` are the names of
    folders that the home keeps for it, `memory_bytes` is all that it may have (0: as much as any server). `folder` is
    where its capability.toml lies; empty for the kernel's own. `settings` are what the kernel's environment may set for
    it, by name: "text", or "file" that it may then read. `events` are what its server tells of, `listens` the port of
    loopback on which it is handed what listens there; 0 for none.
    """

    name: str
    about: str
    never: tuple[str, ...]
    govern: tuple[str, ...]
    actions: tuple[str, ...]
    command: tuple[str, ...]
    folders: tuple[str, ...]
    network: bool
    service: str
    keeps: tuple[str, ...] = ()
    memory_bytes: int = 0
    folder: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    events: tuple[str, ...] = ()
    listens: int = 0


class Entry(msgspec.Struct, frozen=True):
    """A capability with its actions, checked."""

    rule: CapabilityRule
    actions: tuple[ActionRule, ...]

    @property
    def name(self) -> str:
        return self.rule.name


class Catalog:
    """All capabilities and actions, by name."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.actions: dict[str, ActionRule] = {}
        self.capabilities: dict[str, CapabilityRule] = {}
        self.changes = 0
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        if entry.name in self.capabilities:
            raise CatalogError(
                f"there is a capability {entry.name} already", f"agentos capabilities remove {entry.name}"
            )
        self.changes += 1
        self.capabilities[entry.name] = entry.rule
        self.actions.update((action.name, action) for action in entry.actions)

    def remove(self, name: str) -> None:
        self.changes += 1
        for action in self.capabilities.pop(name).actions:
            del self.actions[action]

    def expand(self, action: str) -> tuple[str, ...]:
        """The action and those that a grant of it also covers; nothing for an unknown one."""
        rule = self.actions.get(action)
        return (action, *rule.implies) if rule else ()


def nearest(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a name, in whatever case; empty if nothing is like it."""
    folded = {one.lower(): one for one in known}
    return next((folded[one] for one in difflib.get_close_matches(name[:100].lower(), folded, 1, 0.6)), "")
