"""Programs that start by themselves: arm, disarm, triggers, timers, events."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from cyclopts import Parameter

from agentos.shell import armed, pages, prompt, source, values
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Optional
from agentos.shell.terminal import Terminal, Unanswered, open_terminal
from agentos.shell.text import plural
from agentos.v1 import control_pb2 as control
from agentos.v1 import events_pb2 as pb

Data = Annotated[str | None, Parameter(show_default=False, negative="", allow_leading_hyphen=True)]


def arm(
    program: str, /, *, grant: Annotated[Literal["manifest"] | None, Optional] = None, common: Common = DEFAULTS
) -> int:
    """Let what a program's manifest names start it from now on, with nobody there.

    One screen shows what starts it and what it may do then. What it asks beyond
    that waits in the inbox. This version is armed; edit the program, and it does
    nothing by itself until you arm it again. It starts while the kernel is up.

    Parameters
    ----------
    program
        A script or component whose manifest has on = [...].
    grant
        manifest: I have read it; grant what it asks, for this version, and arm it.
    """
    request = pb.ArmRequest(source=source.read(program), grant_manifest=grant == "manifest", **source.folders())
    with common.kernel(make_home=True) as kernel:
        if not grant:
            _reviewed(kernel, request)
        request.confirmed = True
        said = kernel.call(kernel.events.Arm, request)
    shown = {"program": values.program(said.program), "triggers": [armed.armed(each) for each in said.triggers]}
    if not common.answer(shown):
        for each in said.triggers:
            say(f"{each.id}: {armed.words(each.trigger)}")
        armed.hooks(said.triggers)
        say(f"{said.program.name} is armed: agentos triggers lists it, agentos disarm ends it")
    return 0


def _reviewed(kernel: Kernel, request: pb.ArmRequest) -> None:
    """Show what arming means, and have it agreed to. Raises Failure where it is not."""
    terminal = open_terminal()
    if terminal is None:
        hint = "read agentos explain, then: agentos arm PROGRAM --grant manifest"
        raise Failure("nobody is at a terminal to look at it", hint, Exit.REFUSED, "denied")
    said = kernel.call(kernel.events.Arm, request)
    known = kernel.call(kernel.stub.ListCapabilities, control.ListCapabilitiesRequest()).capabilities
    if said.prompt.id:
        armed.starts(said.program, "starts by itself")
        decisions = prompt.Asking(said.prompt, terminal, counts=kernel.local).decisions()
        answer = control.AnswerRequest(prompt=said.prompt.id, digest=said.prompt.digest, decisions=decisions)
        if not kernel.call(kernel.stub.Answer, answer).grants:
            raise Failure("you allowed nothing, so it was not armed", "", Exit.REFUSED, "denied")
        return
    pages.explain(said.program, known, counts=kernel.local)
    if not _yes(terminal, "\nArm it? type yes > "):
        raise Failure("it was not armed", "", Exit.REFUSED, "denied")


def _yes(terminal: Terminal, question: str) -> bool:
    try:
        return terminal.line(question).strip() == "yes"
    except Unanswered:
        return False


def disarm(program: str, /, *, common: Common = DEFAULTS) -> int:
    """End what arm began. Runs that are under way go on; events that wait for the program are dropped.

    Parameters
    ----------
    program
        Its path, or its name.
    """
    with common.kernel() as kernel:
        said = kernel.call(kernel.events.Disarm, pb.DisarmRequest(program=_placed(program)))
    if not common.answer({"path": said.path, "dropped": said.dropped}):
        dropped = f"; {said.dropped} events that waited for it are dropped" if said.dropped else ""
        say(f"disarmed {said.path}{dropped}")
    return 0


def _placed(name: str) -> str:
    """A path where there is such a file, else the name as it is."""
    return os.path.abspath(name) if os.path.exists(name) or "/" in name else name


def triggers(
    verb: Annotated[Literal["list", "enable", "disable", "fire"], Optional] = "list",
    name: Annotated[str | None, Optional] = None,
    /,
    *,
    common: Common = DEFAULTS,
) -> int:
    """List what starts programs, turn it on or off, or start one now.

    Parameters
    ----------
    verb
        list, enable, disable, or fire.
    name
        A trigger's id; for enable and disable also a program. Enabling one that is paused lets it go on.
    """
    with common.kernel() as kernel:
        if verb == "list":
            return _list(kernel, common)
        if not name:
            raise Failure(f"{verb} which one?", f"agentos triggers {verb} ID")
        if verb == "fire":
            event = kernel.call(kernel.events.Fire, pb.FireRequest(trigger=name)).event
            if not common.answer({"trigger": name, "event": event}):
                say(f"{name} was pulled: event {event}")
            return 0
        kernel.call(kernel.events.Switch, pb.SwitchRequest(name=_placed(name), on=verb == "enable"))
    if not common.answer({"name": name, "enabled": verb == "enable"}):
        say(f"{name} is {'on' if verb == 'enable' else 'off'}")
    return 0


def _list(kernel: Kernel, common: Common) -> int:
    found = kernel.call(kernel.events.ListArmed, pb.ListArmedRequest()).programs
    if not common.answer([armed.program(each) for each in found]):
        armed.programs(found)
        for each in armed.paused(found):
            emit(each)
    return 0


def timers(*, common: Common = DEFAULTS) -> int:
    """List the times that come next, soonest first."""
    with common.kernel() as kernel:
        found = kernel.call(kernel.events.ListArmed, pb.ListArmedRequest()).programs
    rows = [(held.next_ms, {"program": each.program, **armed.armed(held)}) for each in found for held in each.triggers]
    if not common.answer([row for at, row in sorted(rows, key=lambda each: each[0]) if at]):
        armed.timers(found)
    return 0


def events(
    verb: Annotated[Literal["list", "send", "dead", "replay"], Optional] = "list",
    name: Annotated[str | None, Optional] = None,
    /,
    *,
    data: Data = None,
    id_: Annotated[str, Parameter(name="--id", show_default=False)] = "",
    common: Common = DEFAULTS,
) -> int:
    """List the events that wait, send one, or look at those that were given up.

    An event that was sent is on disk when this returns, and starts each armed
    program that names it.

    Parameters
    ----------
    verb
        list, send, dead (those that were given up), or replay.
    name
        send: the event, such as invoice.arrived for on = ["event.invoice.arrived"]. replay: the event's id.
    data
        send: JSON that the program gets as input["data"]; @FILE, or - for standard input.
    id_
        send: an id of your own. The same id sent again is the same event.
    """
    if verb in ("send", "replay") and not name:
        raise Failure(f"{verb} which event?", f"agentos events {verb} {'NAME' if verb == 'send' else 'ID'}")
    with common.kernel() as kernel:
        if verb == "send":
            return _send(kernel, common, str(name).removeprefix("event."), source.given(data), id_)
        if verb == "replay":
            count = kernel.call(kernel.events.ReplayEvent, pb.ReplayEventRequest(id=str(name))).triggers
            if not common.answer({"id": name, "triggers": count}):
                say(f"{name} is delivered again")
            return 0
        found = kernel.call(kernel.events.ListEvents, pb.ListEventsRequest())
    chosen = found.dead if verb == "dead" else found.waiting
    if not common.answer([armed.waiting(each) for each in chosen]):
        armed.events(chosen)
    return 0


def _send(kernel: Kernel, common: Common, name: str, data: str, event: str) -> int:
    said = kernel.call(kernel.events.SendEvent, pb.SendEventRequest(name=name, data=data, id=event))
    fields = {"id": said.id, "duplicate": said.duplicate, "triggers": said.triggers, "runs": said.runs}
    fields["sealed"] = said.sealed
    if common.answer(fields):
        return 0
    if said.sealed:
        say(f"{said.id} is on disk, sealed: the home is locked, and takes it in when it is unlocked")
    elif said.duplicate:
        say(f"{said.id} was sent before, and is not taken in again")
    elif said.triggers or said.runs:
        parts = [f"starts {said.triggers} of the triggers that are armed"] if said.triggers else []
        parts += [f"goes to {plural(said.runs, 'run')} that may wait for it"] if said.runs else []
        say(f"{said.id} {' and '.join(parts)}")
    else:
        say(f"{said.id} is on record, and nothing waits for event.{name}", "yellow")
    return 0
