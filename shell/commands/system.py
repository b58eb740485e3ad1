"""The kernel itself and its home: init, up, down, doctor, capabilities, and where (for --on)."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from agentos.shell import homes, pages, render, start, values
from agentos.shell.failure import Exit, Failure
from agentos.shell.found import token
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.v1 import control_pb2 as pb


def init(
    *,
    keyring: Annotated[bool, Flag] = False,
    passphrase: Annotated[bool, Flag] = False,
    key_file: Annotated[str | None, Optional] = None,
    common: Common = DEFAULTS,
) -> int:
    """Make a home: a random key, an encrypted database, and a recovery key that is shown once.

    Parameters
    ----------
    keyring
        Keep the key in this device's keyring.
    passphrase
        Keep it under a passphrase: typed at each start, or from AGENTOS_PASSPHRASE.
    key_file
        Keep it in this file, which must not exist yet; whoever can read the file can open the home.
    """
    common.here("init")
    if key_file is not None and not key_file:
        raise Failure("--key-file needs a path", "choose one that is free, outside of the home")
    if sum((keyring, passphrase, bool(key_file))) > 1:
        raise Failure("a key is kept in one way", "choose one of --keyring, --passphrase and --key-file PATH")
    kind = "keyring" if keyring else "passphrase" if passphrase else "key-file" if key_file else ""
    try:
        made = homes.make(common.home, homes.Way(kind, key_file or ""))
    except Failure as failed:
        # It was no kernel that was wanted: what is wrong is what was asked for.
        raise Failure(failed.reason, failed.hint, Exit.USAGE, failed.code) from None
    if not common.answer(made.fields):
        homes.show(made)
    return 0


def up(
    *,
    detach: Annotated[bool, Flag] = False,
    ready: Annotated[int, Optional] = 4,
    require_walls: Annotated[bool, Flag] = False,
    locked: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Start the kernel, and stay with it until Ctrl-C.

    Parameters
    ----------
    detach
        Leave it running and return.
    ready
        How many cells are kept ready.
    require_walls
        Do not start where a wall of this machine is missing.
    locked
        Start without the key, and wait for agentos unlock. Events are taken in meanwhile.
    """
    common.here("up")
    serving = start.up(common.home, ready, require_walls, detach, locked)
    if not common.answer(serving.fields):
        state = "up, and locked" if locked else "up"
        say(f"the kernel is {state}: pid {serving.found.pid}" + ("" if detach else " (Ctrl-C stops it)"))
    if not detach:
        serving.wait()
    return 0


def down(*, common: Common = DEFAULTS) -> int:
    """Stop the kernel. Runs that nobody follows go on with its next start; followed ones are cancelled."""
    with common.kernel(start=False) as kernel:
        pid = kernel.call(kernel.stub.Status, pb.StatusRequest()).pid
        kernel.call(kernel.stub.Shutdown, pb.ShutdownRequest())
    if not common.on:
        start.gone(common.home)
    if not common.answer({"pid": pid, "state": "stopped"}):
        say("the kernel is stopped")
    return 0


def doctor(*, common: Common = DEFAULTS) -> int:
    """Say which walls this machine has, each tried, and which guest runs here."""
    with common.kernel(make_home=True, runs=True) as kernel:
        found = kernel.call(kernel.stub.Doctor, pb.DoctorRequest(), seconds=90)
        state = kernel.call(kernel.stub.Status, pb.StatusRequest())
    if not common.answer(values.doctor(found) | {"standing_still": values.error(state.standing_still)}):
        pages.doctor(found)
    render.standing_still(state)
    return 0


def capabilities(
    verb: Annotated[Literal["add", "remove"] | None, Optional] = None,
    what: Annotated[str | None, Optional] = None,
    /,
    *,
    common: Common = DEFAULTS,
) -> int:
    """List what programs can be allowed to do, or add or remove a capability of your own.

    Parameters
    ----------
    verb
        add or remove.
    what
        The folder with its capability.toml to add, or the name to remove.
    """
    if verb and not what:
        raise Failure(f"{verb} what?", "agentos capabilities add FOLDER, or agentos capabilities remove NAME")
    with common.kernel() as kernel:
        stub = kernel.stub
        if verb == "add" and what:
            folder = os.path.abspath(what)
            found = [kernel.call(stub.AddCapability, pb.AddCapabilityRequest(folder=folder)).capability]
        elif verb == "remove" and what:
            kernel.call(stub.RemoveCapability, pb.RemoveCapabilityRequest(name=what))
            found = []
        else:
            found = list(kernel.call(stub.ListCapabilities, pb.ListCapabilitiesRequest()).capabilities)
    if common.answer([values.capability(each) for each in found]):
        return 0
    pages.capabilities(found)
    if verb == "remove":
        emit(f"removed {what}")
    return 0


def where(*, common: Common = DEFAULTS) -> int:
    """Where this home's kernel listens, with its credential: for --on, over ssh."""
    common.here("where")
    found = start.where(common.home)
    if found.socket:
        told = {"home": found.home, "socket": found.socket, "token": token(found), "pid": found.pid}
    else:
        told = {"home": found.home}
    if not common.answer(told):
        emit("\n".join(f"{name}  {value}" for name, value in told.items() if name != "token"))
    return 0
