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
from pathlib import Path

import msgspec

from agentos.home import folder, keys, places, schema, unlocking
from agentos.home.heads import Signer, Witness
from agentos.home.keys import HomeError, Keys

__all__ = ["Home", "HomeError", "default_home", "initialise", "unlock", "where"]

FRESH = ("agentos.db.fresh", "unlock.json.fresh")


class Where(msgspec.Struct, frozen=True):
    """What can be known of a home without its key: how it is locked (kinds of slots), and which kernel serves it.

    Where there is none: whether a keyring could keep the key of one.
    """

    home: str
    exists: bool
    locks: tuple[str, ...] = ()
    pid: int | None = None
    socket: str | None = None
    credential: str | None = None
    keyring: bool = False


def default_home() -> Path:
    if given := os.environ.get("AGENTOS_HOME"):
        return Path(os.path.abspath(given))
    import platformdirs

    return Path(platformdirs.user_data_dir("agentos", appauthor=False))


class Held:
    """A home that is this process's until `close`, and nobody else's; locked still."""

    def __init__(self, path: Path, name: str, lock: int) -> None:
        """Not for callers: use `hold`."""
        self.path = path
        self.name = name
        self.credential = path / "run" / "credential"
        self._lock = lock
        self.runtime = folder.runtime(path, name)
        self._sweep()

    @property
    def locks(self) -> tuple[str, ...]:
        """How it is locked: the kinds of its slots."""
        return tuple(each.kind for each in unlocking.read(self.path).slots)

    def unlocked(self, secret: str = "") -> Home:
        """The same home, open: what `unlock` says of secrets and errors. `close` that one then, and not this."""
        opened = keys.derive(unlocking.home_key(unlocking.read(self.path), secret))
        return unlocking.refusing_disk(lambda: Home(self.path, self.name, opened, self._lock))

    def write_credential(self, token: str) -> None:
        """Let the person's shells in: whoever can read this file can answer prompts."""
        unlocking.refusing_disk(lambda: folder.write(self.path / "run" / "at", str(self.runtime)))
        unlocking.refusing_disk(lambda: folder.write(self.credential, token))

    def let_go(self) -> None:
        """Let the next one in; for whoever left nothing here."""
        os.close(self._lock)

    def close(self) -> None:
        """Leave nothing of this kernel behind, and let the next one in."""
        self.credential.unlink(missing_ok=True)
        self._sweep()
        if self.runtime.parent != self.path:
            with contextlib.suppress(OSError):
                self.runtime.rmdir()
        os.ftruncate(self._lock, 0)
        self.let_go()

    def _sweep(self) -> None:
        # What a killed kernel left: we hold the lock, so nobody listens on these.
        for each in self.runtime.iterdir():
            if stat.S_ISSOCK(each.lstat().st_mode):
                each.unlink()


class Home(Held):
    """An unlocked home, held by this process until `close`."""

    def __init__(self, path: Path, name: str, opened: Keys, lock: int) -> None:
        super().__init__(path, name, lock)
        self.keys = opened
        self.database = path / "agentos.db"
        self.images = path / "cache" / "images"
        for each in (self.images.parent, self.images):
            each.mkdir(mode=0o700, exist_ok=True)

    def witness(self) -> Witness:
        """What vouches for this home's journal. Raises HomeError where its head can be kept nowhere."""
        return Witness(Signer(self.name, self.keys.signing), places.place(self.path, self.name))


# Making one.


def initialise(path: Path, wrap: str, secret: str = "", key_file: Path | None = None) -> str:
    """Make a home whose key is kept by a keyring, a passphrase (`secret`) or a key file; returns the recovery key."""
    path = made(path)
    home_key, name = secrets.token_bytes(keys.KEY_BYTES), keys.home_id()
    unlocking.refusing_disk(lambda: schema.create(path / FRESH[0], keys.derive(home_key).database))
    first = unlocking.slot(path, home_key, name, wrap, secret, key_file)
    recovery, shown = keys.recovery_slot(home_key, name)
    try:
        unlocking.refusing_disk(lambda: commit(path, unlocking.Unlocking(unlocking.VERSION, name, (first, recovery))))
    except HomeError:
        if first.path:
            Path(first.path).unlink()  # it opens nothing, and would be in the way of the next try
        raise
    return shown


def commit(path: Path, ways: unlocking.Unlocking) -> None:
    """From here on it is a home. What can fail for want of room comes before the first rename."""
    database, unlocking_file = (path / name for name in FRESH)
    folder.write(unlocking_file, unlocking.text(ways))
    database.rename(path / "agentos.db")
    unlocking_file.rename(path / "unlock.json")
    folder.sync(path)


def made(path: Path) -> Path:
    """The folder of a new home: made now, or empty and ours."""
    if path.exists() and not path.is_dir():
        raise unlocking.no_folder(path)
    unlocking.refusing_disk(lambda: path.mkdir(mode=0o700, parents=True, exist_ok=True))
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


# Opening it.


def unlock(path: Path, secret: str = "") -> Home:
    """Lock a home for this process and unlock it: without a question where that goes, else with `secret`.

    `secret` is the passphrase, the recovery key, or what is in the key file, as typed. Raises HomeError: no_home,
    locked_by_other, passphrase_needed, wrong_passphrase, no_keyring, no_key_file, open_to_others, newer, broken.
    """
    held = hold(path)
    try:
        return held.unlocked(secret)
    except BaseException:
        held.let_go()
        raise


def hold(path: Path) -> Held:
    """Lock a home for this process, without opening it. Raises HomeError: no_home, locked_by_other, newer, broken …"""
    found = unlocking.read(path)
    path = Path(os.path.realpath(path))
    folder.private(path)
    if not _has_journal(path / "agentos.db"):
        raise HomeError(
            "broken", f"the journal of this home is gone: {path / 'agentos.db'}", "restore it from a backup"
        )
    lock = unlocking.refusing_disk(lambda: folder.lock(path / "lock"))
    try:
        return unlocking.refusing_disk(lambda: Held(path, found.home, lock))
    except BaseException:
        os.close(lock)
        raise


def where(path: Path) -> Where:
    """Whether there is a home, how it is locked, and who serves it; opens nothing."""
    try:
        found = unlocking.read(path)
    except HomeError as error:
        if error.code != "no_home":
            raise
        return Where(str(path), False, keyring=keys.has_keyring())
    locks = tuple(each.kind for each in found.slots)
    pid, at = folder.holder(path / "lock"), path / "run" / "at"
    if pid is None or not at.exists() or not (path / "run" / "credential").exists():
        return Where(str(path), True, locks, pid)
    socket = Path(at.read_text()) / "control.sock"
    return Where(str(path), True, locks, pid, str(socket), str(path / "run" / "credential"))


def _has_journal(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
