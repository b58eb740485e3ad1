"""unlock.json: what of a home is public, and how its key is come by. The kinds of slots are said in `keys`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec

from agentos.home import folder, keys
from agentos.home.keys import HomeError, Slot

T = TypeVar("T")
VERSION = 1
MAX_FILE = 65_536


class Unlocking(msgspec.Struct, frozen=True):
    """What unlock.json says."""

    version: int
    home: str
    slots: tuple[Slot, ...] = ()


def read(path: Path) -> Unlocking:
    """What unlock.json says of a home: public. Raises HomeError."""
    try:
        with open(path / "unlock.json", "rb") as file:
            found = msgspec.json.decode(file.read(MAX_FILE), type=Unlocking)
    except FileNotFoundError:
        raise HomeError("no_home", f"there is no home: {path}", "make one: agentos init") from None
    except NotADirectoryError:
        raise no_folder(path) from None
    except PermissionError:
        raise HomeError(
            "not_yours", f"this home is not yours to open: {path}", "choose another: AGENTOS_HOME"
        ) from None
    except (OSError, msgspec.DecodeError):
        raise HomeError("broken", "unlock.json is damaged", "restore it from a backup") from None
    if found.version > VERSION:
        raise HomeError("newer", "this home was made by a newer Agent OS", "update Agent OS")
    return found


def no_folder(path: Path) -> HomeError:
    return HomeError("no_folder", f"a home is a folder, and this is none: {path}", "choose another: AGENTOS_HOME")


def write(path: Path, ways: Unlocking) -> None:
    """Write unlock.json anew, whole."""
    refusing_disk(lambda: folder.write(path / "unlock.json", text(ways)))


def text(ways: Unlocking) -> str:
    """As it stands in the file."""
    return msgspec.json.format(msgspec.json.encode(ways)).decode()


def home_key(found: Unlocking, secret: str) -> bytes:
    """Try each slot; the error is the one of the slot that the person most likely meant."""
    failed: HomeError | None = None
    for each in found.slots:
        try:
            key = _wrapping(each, found.home, secret)
        except HomeError as error:
            failed = failed or error
            continue
        if key and (opened := keys.unwrap(each, key, found.home)):
            return opened
    if any(each.kind == "passphrase" for each in found.slots):
        if not secret:
            hint = "type it, or set AGENTOS_PASSPHRASE"
            raise HomeError("passphrase_needed", "the home is locked by a passphrase", hint)
        hint = "try again, or type the recovery key"
        raise HomeError("wrong_passphrase", "this is not the passphrase of this home", hint)
    if failed:
        raise failed
    raise HomeError("broken", "no key that was found opens this home", keys.RECOVER)


def _wrapping(slot: Slot, name: str, secret: str) -> bytes | None:
    if slot.kind == "keyring":
        return keys.keyring_key(name)
    if slot.kind == "key-file":
        return keys.key_file_text(secret) or keys.key_file_key(slot)
    if slot.kind == "recovery":
        return keys.recovery_key(secret)
    return keys.passphrase_key(slot, secret) if slot.kind == "passphrase" and secret else None


def slot(path: Path, key: bytes, name: str, wrap: str, secret: str, key_file: Path | None) -> Slot:
    """A new slot, kept in this way."""
    if wrap == "passphrase":
        return keys.passphrase_slot(key, name, secret)
    if wrap == "keyring":
        return keys.keyring_slot(key, name)
    if wrap != "key-file" or key_file is None:
        raise HomeError(
            "invalid", "it was not said how the key is to be kept", "--passphrase, --keyring or --key-file PATH"
        )
    file = Path(os.path.realpath(key_file))
    if file.is_relative_to(path):
        raise HomeError("invalid", "a key file within the home protects nothing", "choose a path outside the home")
    return keys.key_file_slot(key, name, file)


def refusing_disk(step: Callable[[], T]) -> T:
    try:
        return step()
    except (OSError, apsw.Error):
        raise HomeError(
            "unavailable", "the home cannot be written", "make room, or choose a folder you can write to"
        ) from None
