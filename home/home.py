"""The home: one folder with everything that belongs to one person, locked for one kernel at a time.

    unlock.json     how to get at the key: public, see keys.py
    agentos.db      the journal, encrypted
    cache/images/   compiled components, sealed
    run/            sockets and the credential of the kernel that is up
    lock            held by that kernel, with its pid

Everything is the person's alone (0700, 0600); a home that others can look into, or that is somebody else's, is
refused rather than repaired, since whoever could enter may have left something.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec

from agentos.home import chain, folder, keys
from agentos.home.keys import HomeError, Keys, Slot

__all__ = ["Home", "HomeError", "default_home", "initialise", "unlock", "where"]

T = TypeVar("T")
VERSION = 1
MAX_UNLOCK_FILE = 65_536
FRESH = ("agentos.db.fresh", "unlock.json.fresh")


class Unlocking(msgspec.Struct, frozen=True):
    """What unlock.json says."""

    version: int
    home: str
    slots: tuple[Slot, ...] = ()


class Where(msgspec.Struct, frozen=True):
    """What can be known of a home without its key: how it is locked (kinds of slots), and which kernel serves it."""

    home: str
    exists: bool
    locks: tuple[str, ...] = ()
    pid: int | None = None
    socket: str | None = None
    credential: str | None = None


def default_home() -> Path:
    if given := os.environ.get("AGENTOS_HOME"):
        return Path(os.path.abspath(given))
    import platformdirs

    return Path(platformdirs.user_data_dir("agentos", appauthor=False))


class Home:
    """An unlocked home, held by this process until `close`."""

    def __init__(self, path: Path, name: str, opened: Keys, lock: int) -> None:
        self.path = path
        self.name = name
        self.keys = opened
        self.database = path / "agentos.db"
        self.images = path / "cache" / "images"
        self.credential = path / "run" / "credential"
        self._lock = lock
        for each in (self.images.parent, self.images):
            each.mkdir(mode=0o700, exist_ok=True)
        self.runtime = folder.runtime(path, name)
        self._sweep()

    def write_credential(self, token: str) -> None:
        """Let the person's shells in: whoever can read this file can answer prompts."""
        _refusing_disk(lambda: folder.write(self.path / "run" / "at", str(self.runtime)))
        _refusing_disk(lambda: folder.write(self.credential, token))

    def close(self) -> None:
        """Leave nothing of this kernel behind, and let the next one in."""
        self.credential.unlink(missing_ok=True)
        self._sweep()
        if self.runtime.parent != self.path:
            with contextlib.suppress(OSError):
                self.runtime.rmdir()
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def _sweep(self) -> None:
        # What a killed kernel left: we hold the lock, so nobody listens on these.
        for each in self.runtime.iterdir():
            if stat.S_ISSOCK(each.lstat().st_mode):
                each.unlink()


# Making one.


def initialise(path: Path, wrap: str, secret: str = "", key_file: Path | None = None) -> str:
    """Make a home whose key is kept by a keyring, a passphrase (`secret`) or a key file; returns the recovery key."""
    path = _made(path)
    home_key, name = secrets.token_bytes(keys.KEY_BYTES), keys.home_id()
    _refusing_disk(lambda: chain.create(path / FRESH[0], keys.derive(home_key).database))
    slot = _slot(path, home_key, name, wrap, secret, key_file)
    recovery, shown = keys.recovery_slot(home_key, name)
    try:
        _refusing_disk(lambda: _commit(path, Unlocking(VERSION, name, (slot, recovery))))
    except HomeError:
        if slot.path:
            Path(slot.path).unlink()  # it opens nothing, and would be in the way of the next try
        raise
    return shown


def _commit(path: Path, unlocking: Unlocking) -> None:
    """From here on it is a home. What can fail for want of room comes before the first rename."""
    database, unlocking_file = (path / name for name in FRESH)
    folder.write(unlocking_file, msgspec.json.format(msgspec.json.encode(unlocking)).decode())
    database.rename(path / "agentos.db")
    unlocking_file.rename(path / "unlock.json")
    folder.sync(path)


def _made(path: Path) -> Path:
    """The folder of a new home: made now, or empty and ours."""
    if path.exists() and not path.is_dir():
        raise _no_folder(path)
    _refusing_disk(lambda: path.mkdir(mode=0o700, parents=True, exist_ok=True))
    path = Path(os.path.realpath(path))
    for each in path.iterdir():
        if each.name.startswith(FRESH):  # of a try that failed
            each.unlink()
    left = {each.name for each in path.iterdir()}
    if "unlock.json" in left:
        raise HomeError("exists", f"there is a home already: {path}", "use it, or choose another folder: AGENTOS_HOME")
    if left:
        raise HomeError("not_empty", f"this folder is not empty: {path}", "choose an empty one: AGENTOS_HOME")
    if path.stat().st_uid == os.geteuid():
        path.chmod(0o700)
    folder.private(path)
    return path


def _slot(path: Path, home_key: bytes, name: str, wrap: str, secret: str, key_file: Path | None) -> Slot:
    if wrap == "passphrase":
        return keys.passphrase_slot(home_key, name, secret)
    if wrap == "keyring":
        return keys.keyring_slot(home_key, name)
    if wrap != "key-file" or key_file is None:
        raise HomeError(
            "invalid", "it was not said how the key is to be kept", "--passphrase, --keyring or --key-file PATH"
        )
    file = Path(os.path.realpath(key_file))
    if file.is_relative_to(path):
        raise HomeError("invalid", "a key file within the home protects nothing", "choose a path outside the home")
    return keys.key_file_slot(home_key, name, file)


# Opening it.


def unlock(path: Path, secret: str = "") -> Home:
    """Lock a home for this process and unlock it: without a question where that goes, else with `secret`.

    `secret` is the passphrase or the recovery key, as typed. Raises HomeError: no_home, locked_by_other,
    passphrase_needed, wrong_passphrase, no_keyring, no_key_file, open_to_others, newer, broken.
    """
    unlocking = _unlocking(path)
    path = Path(os.path.realpath(path))
    folder.private(path)
    if not _has_journal(path / "agentos.db"):
        raise HomeError(
            "broken", f"the journal of this home is gone: {path / 'agentos.db'}", "restore it from a backup"
        )
    lock = _refusing_disk(lambda: folder.lock(path / "lock"))
    try:
        home_key = _home_key(unlocking, secret)
        return _refusing_disk(lambda: Home(path, unlocking.home, keys.derive(home_key), lock))
    except BaseException:
        os.close(lock)
        raise


def where(path: Path) -> Where:
    """Whether there is a home, how it is locked, and who serves it; opens nothing."""
    try:
        unlocking = _unlocking(path)
    except HomeError as error:
        if error.code != "no_home":
            raise
        return Where(str(path), False)
    locks = tuple(slot.kind for slot in unlocking.slots)
    pid, at = folder.holder(path / "lock"), path / "run" / "at"
    if pid is None or not at.exists() or not (path / "run" / "credential").exists():
        return Where(str(path), True, locks, pid)
    socket = Path(at.read_text()) / "control.sock"
    return Where(str(path), True, locks, pid, str(socket), str(path / "run" / "credential"))


def _unlocking(path: Path) -> Unlocking:
    try:
        with open(path / "unlock.json", "rb") as file:
            found = msgspec.json.decode(file.read(MAX_UNLOCK_FILE), type=Unlocking)
    except FileNotFoundError:
        raise HomeError("no_home", f"there is no home: {path}", "make one: agentos init") from None
    except NotADirectoryError:
        raise _no_folder(path) from None
    except PermissionError:
        raise HomeError(
            "not_yours", f"this home is not yours to open: {path}", "choose another: AGENTOS_HOME"
        ) from None
    except (OSError, msgspec.DecodeError):
        raise HomeError("broken", "unlock.json is damaged", "restore it from a backup") from None
    if found.version > VERSION:
        raise HomeError("newer", "this home was made by a newer Agent OS", "update Agent OS")
    return found


def _no_folder(path: Path) -> HomeError:
    return HomeError("no_folder", f"a home is a folder, and this is none: {path}", "choose another: AGENTOS_HOME")


def _home_key(unlocking: Unlocking, secret: str) -> bytes:
    """Try each slot; the error is the one of the slot that the person most likely meant."""
    failed: HomeError | None = None
    for slot in unlocking.slots:
        try:
            key = _wrapping(slot, unlocking.home, secret)
        except HomeError as error:
            failed = failed or error
            continue
        if key and (found := keys.unwrap(slot, key, unlocking.home)):
            return found
    if any(slot.kind == "passphrase" for slot in unlocking.slots) and not failed:
        if not secret:
            raise HomeError(
                "passphrase_needed", "the home is locked by a passphrase", "type it, or set AGENTOS_PASSPHRASE"
            )
        raise HomeError(
            "wrong_passphrase", "this is not the passphrase of this home", "try again, or type the recovery key"
        )
    if failed:
        raise failed
    raise HomeError("broken", "no key that was found opens this home", keys.RECOVER)


def _wrapping(slot: Slot, name: str, secret: str) -> bytes | None:
    if slot.kind == "keyring":
        return keys.keyring_key(name)
    if slot.kind == "key-file":
        return keys.key_file_key(slot)
    if slot.kind == "recovery":
        return keys.recovery_key(secret)
    return keys.passphrase_key(slot, secret) if slot.kind == "passphrase" and secret else None


def _refusing_disk(step: Callable[[], T]) -> T:
    try:
        return step()
    except (OSError, apsw.Error):
        raise HomeError(
            "unavailable", "the home cannot be written", "make room, or choose a folder you can write to"
        ) from None


def _has_journal(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
