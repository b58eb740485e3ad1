"""Where else a home's head is kept, because the person chose so: this device's keyring, a folder on another disk.

The file of `places` mostly lies on the same disk as the home, and whoever puts back the disk puts back both. So

    keyring        an entry of its own beside the one that may open the home
    /path/of/one   agentos-HOME.head in a folder that is there already: another disk, a share, one that is synced

can be had besides. Which of them were chosen is a mark in the database, and a record in its journal. At a start each is
asked, and must say what the file must say; where one says nothing, the start is refused and says how to do without it.

A keyring may ask its person, and a share may be gone: each can hang for ever. So a start waits for an answer for so
long and no longer, and a line on its way there has a thread of its own: neither the event loop nor the commits wait. As
with the file, no other head is signed before this one is everywhere, so each place is behind by one at most, however
the power is cut. A folder is written to only where its file is there, since a disk that was taken out leaves an empty
folder behind, and the next start is not to find what was written into that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

import apsw
import msgspec

from agentos.home.heads import Place, Witness
from agentos.home.keys import HomeError
from agentos.home.places import File

T = TypeVar("T")
KEYRING = "keyring"
SERVICE = "agentos head"
ANSWER_S = 30.0
RETRY_S = 30.0
PROBE = "agentos"
MARK = "heads"


class Keyring:
    """A head in this device's keyring."""

    said = "in this device's keyring"

    def __init__(self, home: str) -> None:
        self._home = home

    def read(self) -> str | None:
        import keyring

        return _of_the_keyring(lambda: keyring.get_password(SERVICE, self._home)) or None

    def write(self, line: str) -> None:
        import keyring

        _of_the_keyring(lambda: keyring.set_password(SERVICE, self._home, line))

    def begin(self, line: str) -> None:
        self.write(line)

    def end(self) -> None:
        import keyring

        _of_the_keyring(lambda: keyring.delete_password(SERVICE, self._home))


class Folder(File):
    """A head in a folder that the person chose: the file is made once, and never where it should be and is not."""

    def __init__(self, folder: Path, home: str) -> None:
        super().__init__(folder / f"agentos-{home}.head")
        self.said = f"in {folder}"

    def read(self) -> str | None:
        return (super().read() or "").strip() or None

    def write(self, line: str) -> None:
        self.path.stat()  # raises where the disk was taken out, or the file away
        super().write(line)

    def begin(self, line: str) -> None:
        File.write(self, line)

    def end(self) -> None:
        self.path.unlink(missing_ok=True)


def _of_the_keyring(step: Callable[[], T]) -> T:
    try:
        return step()
    except Exception:  # noqa: BLE001 (each backend fails in its own way: no bus, locked, cancelled, none at all)
        raise OSError("this device's keyring refused") from None


# ---- which there are


def chosen(db: apsw.Connection) -> list[str]:
    """What the person chose, as it was said."""
    rows = cast(list[tuple[str]], db.execute("SELECT value FROM marks WHERE name = ?", (MARK,)).fetchall())
    return msgspec.json.decode(rows[0][0], type=list[str]) if rows else []


def made(where: str, home: str) -> Keyring | Folder:
    return Keyring(home) if where == KEYRING else Folder(Path(where), home)


def all_of(db: apsw.Connection, witness: Witness) -> list[tuple[str, Place]]:
    """Every place of this home's head by what it is called; the file, which is always one, has no name."""
    return [("", witness.place), *((each, made(each, witness.signer.home)) for each in chosen(db))]


def without(where: str) -> str:
    """How to go on without a place."""
    return f"go on without it: agentos audit head --not-in {where}" if where else "name another: AGENTOS_STATE"


def asked(where: str, place: Place) -> str | None:
    """The line that is kept there. Raises HomeError where nobody answers."""
    try:
        return within(ANSWER_S, place.read) if where else place.read()
    except TimeoutError:
        reason = f"the head of this home, which is kept {place.said}, was asked for, and no answer came"
    except OSError:
        reason = f"the head of this home, which is kept {place.said}, cannot be read"
    bring = "unlock it" if where == KEYRING else "bring its folder back"
    raise HomeError("no_head", reason, f"{bring}, or {without(where)}")


def usable(where: str, place: Keyring | Folder, line: str) -> None:
    """Put the first line there, or see that one can be put there. Raises HomeError."""
    probe = line or PROBE
    try:
        within(ANSWER_S, lambda: place.begin(probe))
        kept = within(ANSWER_S, place.read)
        if kept is None or kept.strip() != probe:
            raise OSError("it takes everything and keeps nothing")
        if not line:
            within(ANSWER_S, lambda: place.begin(""))
    except OSError:
        hint = "unlock it, or choose a folder" if where == KEYRING else "choose a folder you can write to, or keyring"
        raise HomeError("no_head", f"a head cannot be kept {place.said}", hint) from None


def canonical(where: str, home: Path) -> str:
    """What the person said, as it is written down. Raises HomeError where it is no place for a head."""
    if where == KEYRING:
        return where
    folder = Path(os.path.realpath(os.path.expanduser(where)))
    if not folder.is_dir():
        hint = "make it, or attach its disk; or say keyring"
        raise HomeError("no_folder", f"a head is kept in a folder that is there, and this is none: {folder}", hint)
    if folder.is_relative_to(os.path.realpath(home)):
        raise HomeError("invalid", "a head within the home is put back with it", "choose a folder on another disk")
    return str(folder)


# ---- how a line gets there


class Carrier:
    """Brings lines to one place, each on a thread of its own: whoever hands one over never waits."""

    def __init__(self, place: Place) -> None:
        self.refused = 0
        self._place = place
        self._there = ""
        self._again = 0.0
        self._thread: threading.Thread | None = None

    def bring(self, line: str) -> bool:
        """Whether this line is there; if not it is on its way, or waits until it may be tried again."""
        if self._there == line:
            return True
        idle = self._thread is None or not self._thread.is_alive()
        if idle and time.monotonic() >= self._again:
            self._thread = threading.Thread(target=self._carry, args=(line,), name="head", daemon=True)
            self._thread.start()
        return False

    def wait(self, seconds: float) -> None:
        """Until what is on its way is there, for so long."""
        if self._thread:
            self._thread.join(seconds)

    def _carry(self, line: str) -> None:
        try:
            self._place.write(line)
        except OSError:
            self.refused += 1
            self._again = time.monotonic() + RETRY_S
            return
        self._there = line


class _Answer(Generic[T]):
    """What came of a step on another thread."""

    def __init__(self, step: Callable[[], T]) -> None:
        self.value: T | None = None
        self.wrong: OSError | None = None
        self._step = step

    def find(self) -> None:
        try:
            self.value = self._step()
        except OSError as wrong:
            self.wrong = wrong


def within(seconds: float, step: Callable[[], T]) -> T:
    """What this step says, if it does so in time. Raises TimeoutError, which is an OSError, and its own OSError."""
    answer = _Answer(step)
    thread = threading.Thread(target=answer.find, name="head", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if answer.wrong:
        raise answer.wrong
    return cast(T, answer.value)
