"""Making and unlocking a home: the one question on how its key is kept, and the passphrase where it needs one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from agentos.shell import start
from agentos.shell.failure import Exit, Failure, no_kernel
from agentos.shell.paint import say
from agentos.shell.terminal import Terminal, Unanswered, open_terminal
from agentos.shell.text import quoted

T = TypeVar("T")
VARIABLE = "AGENTOS_PASSPHRASE"
TRIES = 3
QUESTION = """\
There is no home yet. It will keep your grants and the record of every run, encrypted.
How shall its key be kept?"""
WAYS = {
    "keyring": "in this device's keyring",
    "passphrase": "under a passphrase, which each start asks for",
    "key-file": "in a key file, which opens the home for whoever can read it",
}
WITHOUT_TERMINAL = """\
make one first: agentos init --key-file PATH (whoever can read that file can open the home)
or agentos init --keyring, or set AGENTOS_PASSPHRASE and run this again"""


@dataclass(frozen=True)
class Way:
    """How a key is kept: keyring, passphrase, key-file; empty means to ask."""

    kind: str = ""
    key_file: str = ""


@dataclass(frozen=True)
class Made:
    """A new home. Its recovery key is shown once and kept nowhere; `secret` is the passphrase that was just chosen."""

    home: str
    way: Way
    recovery: str
    secret: str = field(default="", repr=False)

    @property
    def fields(self) -> dict[str, object]:
        return {"home": self.home, "kept": self.way.kind, "recovery_key": self.recovery}


def make(home: str, way: Way) -> Made:
    """Make a home, asking how its key is kept if that was not said."""
    terminal, found = open_terminal(), start.where(home)
    if found.exists:
        raise Failure(f"there is a home already: {found.home}", "use it, or choose another folder: --home PATH")
    if not way.kind:
        way = _chosen(terminal, found.keyring)
    secret = new_passphrase(terminal) if way.kind == "passphrase" else ""
    how = ["--wrap", way.kind, *(["--key-file", os.path.abspath(way.key_file)] if way.key_file else [])]
    said = start.home_says("init", *start.placed(home), *how, secret=secret)
    return Made(str(said["home"]), way, str(said["recovery"]), secret)


def show(made: Made) -> None:
    """The recovery key, once."""
    say(f"made a home: {made.home}", "bold")
    say("This recovery key opens it when all else is lost. Write it down: it is shown")
    say("once and kept nowhere.")
    say(f"\n  {made.recovery}", "bold")


def _chosen(terminal: Terminal | None, keyring: bool) -> Way:
    if os.environ.get(VARIABLE):
        return Way("passphrase")
    if terminal is None:
        raise no_kernel("there is no home yet, and nobody at a terminal to say how its key is kept", WITHOUT_TERMINAL)
    kinds = [kind for kind in WAYS if keyring or kind != "keyring"]
    terminal.say(QUESTION)
    for number, kind in enumerate(kinds, 1):
        terminal.say(f"  [{number}] {WAYS[kind]}{' (Enter takes this one)' if number == 1 else ''}")
    while (typed := _line(terminal, "  > ") or "1") not in map(str, range(1, len(kinds) + 1)):
        terminal.say(f"  {quoted(typed, 40)} is no answer here: type a number that stands in brackets")
    kind = kinds[int(typed) - 1]
    where = _line(terminal, "  path of the new key file > ") if kind == "key-file" else ""
    return Way(kind, os.path.expanduser(where))


def new_passphrase(terminal: Terminal | None, variable: str = VARIABLE) -> str:
    if given := os.environ.get(variable):
        return given
    if terminal is None:
        raise Failure("nobody is at a terminal to type a passphrase", f"set {variable}")
    while True:
        first = terminal.secret("  new passphrase > ")
        if first and terminal.secret("  once more > ") == first:
            return first
        terminal.say("  that was empty, or not the same twice")


def unlocked(home: str, attempt: Callable[[str, str], T]) -> T:
    """What comes of a home with the first secret that opens it, whether or not a kernel serves it meanwhile."""
    found = start.looked_at(home)
    if not found.exists:
        raise no_kernel(f"there is no home yet: {found.home}", "make one: agentos init")
    return first(secrets(found.locks), lambda secret: attempt(found.home, secret))


def secrets(locks: tuple[str, ...]) -> Iterator[str]:
    """What to try to unlock a home with, one by one."""
    if "passphrase" not in locks or set(locks) & {"keyring", "key-file"}:
        yield ""
    if "passphrase" not in locks:
        return
    if given := os.environ.get(VARIABLE):
        yield given
        return
    terminal = open_terminal()
    if terminal is None:
        raise no_kernel("the home is locked by a passphrase, and nobody is at a terminal", f"set {VARIABLE}")
    for attempt in range(TRIES):
        if attempt:
            terminal.say("  that is not it")
        yield terminal.secret("passphrase of your Agent OS home > ")


def first(secrets: Iterable[str], attempt: Callable[[str], T]) -> T:
    """What comes of the first secret that opens a home. Raises the Failure of the last that was tried."""
    wrong = no_kernel("the home is locked", "agentos doctor")
    for secret in secrets:
        try:
            return attempt(secret)
        except Failure as failed:
            wrong = failed
            if failed.code not in ("passphrase_needed", "wrong_passphrase"):
                break
    raise wrong


def _line(terminal: Terminal, question: str) -> str:
    try:
        return terminal.line(question)
    except Unanswered:
        raise Failure("no answer, so no home was made", exit_code=Exit.NO_KERNEL) from None
