"""The ways of unlocking a home: list them, add one, take one away, another passphrase, a new recovery key."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from agentos.shell import homes, start
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.shell.terminal import open_terminal

NEW = "AGENTOS_NEW_PASSPHRASE"
ABOUT = {
    "keyring": "this device's keyring",
    "passphrase": "a passphrase",
    "key-file": "the key file",
    "recovery": "the recovery key, on paper",
}
Ways = list[dict[str, object]]


def keys(
    verb: Annotated[Literal["add", "remove", "change", "recovery"] | None, Optional] = None,
    number: Annotated[int | None, Optional] = None,
    /,
    *,
    keyring: Annotated[bool, Flag] = False,
    passphrase: Annotated[bool, Flag] = False,
    key_file: Annotated[str | None, Optional] = None,
    common: Common = DEFAULTS,
) -> int:
    """List the ways of unlocking the home, or change them: any one of them opens it.

    To change anything the home is unlocked first, as at each start. A kernel that
    is up goes on.

    Parameters
    ----------
    verb
        add one, remove one, change the passphrase, or make a new recovery key: the old one is void then.
    number
        Which one to remove.
    keyring
        Add this device's keyring.
    passphrase
        Add a passphrase: typed twice, or from AGENTOS_NEW_PASSPHRASE.
    key_file
        Add a key file, which must not exist yet; whoever can read it can open the home.
    """
    common.here("keys")
    options = _options(verb, number, keyring, passphrase, key_file)
    wants_new = verb == "change" or (verb == "add" and passphrase)
    said = _say(common.home, options, wants_new)
    if not common.answer({name: said[name] for name in ("home", "ways")} | _recovery(said)):
        _show(said)
    return 0


def _options(
    verb: str | None, number: int | None, keyring: bool, passphrase: bool, key_file: str | None
) -> tuple[str, ...]:
    """What the kernel's own command is told. Raises Failure for what does not go together."""
    wraps = [name for name, on in (("keyring", keyring), ("passphrase", passphrase), ("key-file", key_file)) if on]
    if verb == "add":
        if len(wraps) != 1:
            raise Failure("add which way?", "choose one of --keyring, --passphrase and --key-file PATH")
        return (
            "--change=add",
            f"--wrap={wraps[0]}",
            *([f"--key-file={os.path.abspath(key_file)}"] if key_file else []),
        )
    if wraps:
        raise Failure("a way is added with: agentos keys add", "without add, these options mean nothing")
    if verb == "remove":
        if number is None:
            raise Failure("remove which one?", "agentos keys lists them by number: agentos keys remove NUMBER")
        return ("--change=remove", f"--number={number}")
    if number is not None:
        raise Failure("only remove takes a number", "see: agentos keys --help")
    return {"change": ("--change=passphrase",), "recovery": ("--change=recovery",)}.get(verb or "", ())


def _say(home: str, options: tuple[str, ...], wants_new: bool) -> dict[str, object]:
    if not options:
        return start.home_says("keys", *start.placed(home))
    new = ""

    def opened(place: str, secret: str) -> dict[str, object]:
        nonlocal new
        new = new or (homes.new_passphrase(open_terminal(), NEW) if wants_new else "")
        try:
            return start.home_says("keys", "--home", place, *options, secret=secret, new=new)
        except Failure as failed:
            # It was no kernel that was wanted: what is wrong is what was asked for.
            raise Failure(failed.reason, failed.hint, Exit.USAGE, failed.code) from None

    return homes.unlocked(home, opened)


def _recovery(said: dict[str, object]) -> dict[str, object]:
    return {"recovery_key": said["recovery"]} if said["recovery"] else {}


def _show(said: dict[str, object]) -> None:
    ways: Ways = said["ways"]  # type: ignore[assignment]  # JSON of our own kernel
    for way in ways:
        where = f" {way['path']}" if way["path"] else ""
        emit(f"{way['number']}  {ABOUT.get(str(way['kind']), way['kind'])}{where}")
    if said["recovery"]:
        say("The new recovery key; the old one opens nothing any more. It is shown once and kept nowhere.")
        say(f"\n  {said['recovery']}", "bold")
