"""What the kernel knows of capabilities: how each is run, and which there are; filled from descriptors by `catalog`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agentos.manifest.actions import ActionRule


class CatalogError(Exception):
    """A capability that cannot be loaded: `reason` names the place, `hint` what to do there."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


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
