"""A kernel that is always on: started with the machine or at log-in, and anew where it failed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from agentos.shell import start, supervisor, unit
from agentos.shell.failure import Exit, Failure, no_kernel
from agentos.shell.found import Found, platform_home
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.shell.terminal import Unanswered, open_terminal

Keeper = supervisor.Systemd | supervisor.Launchd
PRINT = Parameter(name="--print", negative="", show_default=False)
BY_ITSELF = {"keyring", "key-file"}


def service(
    verb: Annotated[Literal["install", "status", "logs", "remove"], Optional] = "status",
    /,
    *,
    print_: Annotated[bool, PRINT] = False,
    yes: Annotated[bool, Flag] = False,
    ready: Annotated[int, Optional] = 4,
    lines: Annotated[int, Optional] = 50,
    follow: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Keep the kernel of this home always on, as a service of yours: of systemd, or of launchd.

    It needs no root and holds no secret: the key comes from the keyring or from a
    key file. A home that a passphrase alone opens is started locked: agentos unlock
    brings the key. status says how it is, logs what it said, remove stops it and
    deletes what install wrote.

    Parameters
    ----------
    verb
        install, status, logs or remove.
    print_
        With install: print what would be written, and change nothing.
    yes
        Write over, or remove, what was changed by hand.
    ready
        How many cells are kept ready.
    lines
        How many lines of the log.
    follow
        Go on printing the log.
    """
    common.here("service")
    found = start.looked_at(common.home)
    home = os.path.realpath(found.home)
    keeper = supervisor.of(unit.named(home, os.path.realpath(platform_home())))
    if verb == "logs":
        return _logs(keeper, lines, follow)
    if verb == "status":
        return _status(keeper, home, common)
    if verb == "remove":
        return _remove(keeper, home, yes, common)
    locked = bool(found.locks) and not BY_ITSELF & set(found.locks)
    text = keeper.text(supervisor.wanted(home, ready, locked))
    if print_:
        if not common.answer({"name": keeper.name, "file": str(keeper.path), "text": text}):
            emit(text.rstrip("\n"))
        return 0
    return _install(keeper, found, text, locked, yes, common)


def _install(keeper: Keeper, found: Found, text: str, locked: bool, yes: bool, common: Common) -> int:
    if not found.exists:
        raise no_kernel(f"there is no home yet: {found.home}", "make one: agentos init")
    before, missing = _read(keeper.path), keeper.missing()
    changed = before != text
    if not missing and found.socket and keeper.state().get("ActiveState") != "active":
        raise no_kernel(f"a kernel is up already for {found.home}", "stop it first: agentos down")
    if changed and before is not None:
        _ask_for(keeper, before, "write over", yes)
    if changed:
        _write(keeper.path, text)
    if not missing:
        keeper.start(changed)
    told = {"name": keeper.name, "file": str(keeper.path), "written": changed, "running": not missing}
    told |= {"locked": locked}
    hint = "" if missing else keeper.hint()
    if not common.answer(told | {"missing": missing, "hint": hint}):
        say(f"{'wrote' if changed else 'there already, and as it should be'}: {keeper.path}")
        if missing:
            say(f"It was not started: {missing}", "yellow")
            say("It starts when you log in where there is one; until then: agentos up --detach")
        else:
            say(f"{keeper.name} is running" + (f"; {hint}" if hint else ""))
        if locked:
            say("Nobody types a passphrase to a service, so each start is a locked one: events are taken in,")
            say("and it goes on after agentos unlock. For a start without you: agentos keys add --keyring")
    return 0


def _status(keeper: Keeper, home: str, common: Common) -> int:
    text, missing = _read(keeper.path), keeper.missing()
    kind = None if text is None else unit.made_by_us(text)
    file = "none" if text is None else {True: "as installed", False: "changed by hand", None: "not ours"}[kind]
    state = {} if missing else keeper.state()
    told: dict[str, object] = {"name": keeper.name, "home": home, "path": str(keeper.path), "file": file}
    if common.answer(told | {"missing": missing, "state": state}):
        return 0
    emit(f"{keeper.name}: {'not installed' if text is None else file}")
    emit(f"  home  {home}\n  file  {keeper.path}")
    if missing:
        emit(f"  {missing}")
    for name, value in state.items():
        emit(f"  {name}  {value}")
    if text is None:
        say("install it: agentos service install")
    return 0


def _logs(keeper: Keeper, lines: int, follow: bool) -> int:
    if missing := keeper.missing():
        raise no_kernel(missing, "what a kernel says that was started by hand goes to its own terminal")
    try:
        return subprocess.run(keeper.logs(lines, follow), check=False).returncode
    except FileNotFoundError as gone:
        raise no_kernel(f"there is no {gone.filename} on this machine", "agentos service status") from None
    except KeyboardInterrupt:
        return 0


def _remove(keeper: Keeper, home: str, yes: bool, common: Common) -> int:
    text = _read(keeper.path)
    if text is None:
        raise Failure(f"there is no service for {home}", "see: agentos service status")
    _ask_for(keeper, text, "remove", yes)
    if not keeper.missing():
        keeper.stop()
    keeper.path.unlink()
    keeper.forget()
    if not common.answer({"name": keeper.name, "file": str(keeper.path), "removed": True}):
        say(f"stopped and removed: {keeper.path}")
    return 0


def _ask_for(keeper: Keeper, text: str, what: str, yes: bool) -> None:
    """Ask before what a person wrote is lost. Raises Failure where that is not wanted."""
    whose = unit.made_by_us(text)
    if whose or yes:
        return
    reason = f"{keeper.path} {'was not made by agentos' if whose is None else 'was changed by hand'}"
    hint = f"to {what} it all the same: --yes"
    terminal = open_terminal()
    if terminal is None:
        raise Failure(reason, hint)
    try:
        answer = terminal.line(f"{reason}. {what.capitalize()} it? [y/N] > ")
    except Unanswered:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure(f"{reason}, and stays as it is", hint)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    """The old text or the new one, whatever happens."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as wrong:
        part.unlink(missing_ok=True)
        raise Failure(f"{path} cannot be written: {wrong.strerror}", "", Exit.FAILED, "unavailable") from None
