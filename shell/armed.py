"""What the person reads about armed programs: what starts them, what waits for them, what was given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from agentos.shell import values
from agentos.shell.render import Cell, console, grid, table, when
from agentos.shell.text import plural, quoted, span
from agentos.v1 import control_pb2 as control
from agentos.v1 import events_pb2 as pb
from agentos.v1.trigger_pb2 import Trigger

Value = object


def words(trigger: Trigger) -> str:
    """What starts it, in plain words."""
    if trigger.event == "timer.every":
        return f"every {span(trigger.every_ms * 1000)}"
    if trigger.event == "timer.cron":
        return f"at {quoted(trigger.at)} ({quoted(trigger.tz)})"
    if trigger.event == "timer.at":
        return f"once, at {quoted(trigger.at[:16].replace('T', ' '))} UTC"
    if trigger.event == "files.changed":
        kinds = [each.value.strip('"') for each in trigger.filters if each.field == "kind"]
        return f"when a file is {quoted(kinds[0]) if kinds else 'changed'}: {quoted(', '.join(trigger.paths))}"
    fields = " and ".join(f"{quoted(each.field)} is {quoted(each.value)}" for each in trigger.filters)
    if not trigger.event.startswith("event."):
        what = "something is sent to its URL" if trigger.event == "hook.received" else f"{quoted(trigger.event)} comes"
        return f"when {what}" + (f", where {fields}" if fields else "")
    return f"when you send {quoted(trigger.event.removeprefix('event.'))}" + (f", where {fields}" if fields else "")


def rules(trigger: Trigger) -> str:
    """How it is delivered."""
    runs = f"{trigger.parallel} runs at once" if trigger.parallel > 1 else "one run at a time"
    parts = [runs + (", only the newest event waits" if trigger.latest else "")]
    if trigger.debounce_ms:
        parts.append(f"{span(trigger.debounce_ms * 1000)} after the last one")
    if trigger.quiet_ms:
        parts.append(f"once it was quiet for {span(trigger.quiet_ms * 1000)}")
    if trigger.batch:
        parts.append(f"up to {trigger.batch} events a run, {span(trigger.batch_ms * 1000)} after the first")
    if trigger.catch_up:
        parts.append(f"missed times: {trigger.catch_up}")
    return " · ".join([*parts, plural(trigger.retries, "retry", "retries")])


def starts(program: control.Program, title: str) -> None:
    """What starts a program, once it is armed."""
    if program.triggers:
        console().print(Text(f"\n{title}", "bold"))
        grid([[f"  {words(each)}", rules(each), (each.source, "dim")] for each in program.triggers])


def programs(found: Sequence[pb.ArmedProgram]) -> None:
    rows: list[list[Cell]] = []
    for each in found:
        for at, held in enumerate(each.triggers):
            state = "on" if held.enabled and not each.paused else "PAUSED" if each.paused else "off"
            waits = [f"{each.waiting} wait" if each.waiting else "", ", ".join(each.runs)]
            rows.append([
                held.id, quoted(each.program) if not at else "", words(held.trigger), state,
                " · ".join(filter(None, waits)) if not at else "",
            ])  # fmt: skip
    table(["ID", "PROGRAM", "STARTS IT", "STATE", "UNDER WAY"], rows, "nothing is armed: agentos arm PROGRAM")
    hooks(held for each in found for held in each.triggers)


def hooks(found: Iterable[pb.ArmedTrigger]) -> None:
    """Where hooks are called, each on a line of its own, so that it can be copied whole."""
    for each in found:
        if each.url:
            console().print(Text(f"{each.id}  {quoted(each.url)}"), soft_wrap=True)
        if each.trouble:
            console().print(Text(f"{each.id}  nothing comes: {quoted(each.trouble)}", "yellow"), soft_wrap=True)


def paused(found: Iterable[pb.ArmedProgram]) -> list[str]:
    """The programs that wait for the person, and what to do."""
    return [
        f"{quoted(each.program)} is paused: {each.paused}\n  agentos triggers enable {quoted(each.path)}"
        for each in found if each.paused
    ]  # fmt: skip


def dead(found: Iterable[pb.WaitingEvent]) -> list[str]:
    """The events that were given up, and what to do."""
    return [
        f"{quoted(each.id)}, {quoted(each.name)} for {quoted(each.program)}: given up after {plural(each.tries, 'run')}"
        f"\n  agentos show {each.run} · agentos events replay {quoted(each.id)}"
        for each in found
    ]


def timers(found: Iterable[pb.ArmedProgram]) -> None:
    coming = sorted(
        (held.next_ms, quoted(each.program), held)
        for each in found for held in each.triggers if held.next_ms
    )  # fmt: skip
    rows = [[held.id, program, words(held.trigger), when(at)] for at, program, held in coming]
    table(["ID", "PROGRAM", "COMES", "NEXT"], rows, "no timer is set")


def events(found: Iterable[pb.WaitingEvent]) -> None:
    rows = [
        [quoted(each.id), quoted(each.name), quoted(each.program), each.trigger, when(each.at_ms), each.run,
         f"again {when(each.after_ms)}" if each.after_ms else ""]
        for each in found
    ]  # fmt: skip
    table(["ID", "EVENT", "PROGRAM", "TRIGGER", "CAME", "RUN", ""], rows, "no event waits")


# ---- for --json


def program(found: pb.ArmedProgram) -> dict[str, Value]:
    return {
        "program": found.program,
        "path": found.path,
        "digest": found.digest,
        "armed": found.armed_ms,
        "paused": found.paused or None,
        "failures": found.failures,
        "waiting": found.waiting,
        "runs": list(found.runs),
        "triggers": [armed(each) for each in found.triggers],
    }


def armed(found: pb.ArmedTrigger) -> dict[str, Value]:
    times = {"next": found.next_ms or None, "last": found.last_ms or None}
    return {
        "id": found.id,
        "enabled": found.enabled,
        **times,
        **values.trigger(found.trigger),
        "url": found.url or None,
        "trouble": found.trouble or None,
    }


def waiting(found: pb.WaitingEvent) -> dict[str, Value]:
    return {
        "id": found.id,
        "event": found.name,
        "trigger": found.trigger,
        "program": found.program,
        "path": found.path,
        "at": found.at_ms,
        "run": found.run or None,
        "tries": found.tries,
        "after": found.after_ms or None,
    }
