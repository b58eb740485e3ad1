"""The ways of unlocking a home, and how they change: one more, one fewer, another passphrase, a new recovery key.

All ways lead to the same home key, so none of this touches the database, and it works beside a kernel that is up. Who
changes anything opens the home first, by any way that there is. The new `unlock.json` stands whole or not at all; two
changes at once take turns. At least one way that is not the recovery key stays.

A way that was taken away is gone from here. Whoever has an old copy of `unlock.json` and the old passphrase (or key
file, or recovery key) still has the home key: what was copied away, nobody can take back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agentos.home import folder, keys, unlocking
from agentos.home.keys import HomeError, Slot


class Change:
    """The ways of one home, unlocked, until they are written at the end of `changing`."""

    def __init__(self, path: Path, name: str, home_key: bytes, slots: tuple[Slot, ...]) -> None:
        self.slots = list(slots)
        self._path = path
        self._name = name
        self._home_key = home_key

    def add(self, wrap: str, secret: str = "", key_file: Path | None = None) -> None:
        """One more way. There is one keyring and one passphrase at most; key files as many as one likes."""
        if wrap != "key-file" and any(slot.kind == wrap for slot in self.slots):
            hint = "change it: agentos keys change" if wrap == "passphrase" else "see: agentos keys"
            raise HomeError("exists", f"the home is unlocked by a {wrap} already", hint)
        self._insert(unlocking.slot(self._path, self._home_key, self._name, wrap, secret, key_file))

    def remove(self, number: int) -> Slot:
        """One way fewer, by its number from 1; returns what it was."""
        if not 1 <= number <= len(self.slots):
            raise HomeError("not_found", f"there is no way {number} to unlock this home", "see: agentos keys")
        gone = self.slots.pop(number - 1)
        if not any(slot.kind != "recovery" for slot in self.slots):
            hint = "add another one first: agentos keys add"
            raise HomeError("invalid", "only the recovery key would be left, which is for when all else is lost", hint)
        return gone

    def passphrase(self, secret: str) -> None:
        """Another passphrase in place of the one that there is."""
        if not any(slot.kind == "passphrase" for slot in self.slots):
            raise HomeError("not_found", "this home has no passphrase", "add one: agentos keys add --passphrase")
        self.slots = [slot for slot in self.slots if slot.kind != "passphrase"]
        self._insert(keys.passphrase_slot(self._home_key, self._name, secret))

    def recovery(self) -> str:
        """A new recovery key in place of any older one, as the person writes it down."""
        slot, shown = keys.recovery_slot(self._home_key, self._name)
        self.slots = [each for each in self.slots if each.kind != "recovery"] + [slot]
        return shown

    def _insert(self, slot: Slot) -> None:
        """Before the recovery key, which comes last."""
        self.slots.insert(sum(each.kind != "recovery" for each in self.slots), slot)


@contextmanager
def changing(path: Path, secret: str) -> Iterator[Change]:
    """Open the home by any way; what was changed by the end is written, whole. Raises HomeError."""
    path = Path(os.path.realpath(path))
    folder.private(path)
    with _turn(path):
        was = unlocking.read(path)
        change = Change(path, was.home, unlocking.home_key(was, secret), was.slots)
        try:
            yield change
            slots = tuple(change.slots)
            if slots != was.slots:
                unlocking.write(path, msgspec.structs.replace(was, slots=slots))
        except BaseException:
            _unmake(change.slots, was.slots)
            raise
    for gone in set(was.slots) - set(slots):
        if gone.kind == "keyring":
            keys.forget_keyring(was.home)


def _unmake(slots: list[Slot], before: tuple[Slot, ...]) -> None:
    """A key file that was made for a change that did not come about opens nothing, and would be in the way."""
    for slot in slots:
        if slot not in before and slot.path:
            Path(slot.path).unlink(missing_ok=True)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Two changes of one home take turns, whether or not a kernel is up."""
    try:
        descriptor = folder.lock(path / "unlock.lock")
    except HomeError:
        raise HomeError("busy", "the ways to unlock this home are being changed elsewhere", "try again") from None
    try:
        yield
    finally:
        os.close(descriptor)
