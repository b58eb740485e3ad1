"""What the person may read about authority and the kernel: grants, what a program may ask, walls, capabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from rich.text import Text

from agentos.shell import armed, sheet, values
from agentos.shell.render import Cell, console, grid, table, when
from agentos.shell.text import plural, quoted, size, span
from agentos.v1 import control_pb2 as pb

# ---- authority


def grants(found: Iterable[pb.Grant], denied: bool) -> None:
    rows = [
        [grant.id, grant.program, grant.action, "\n".join(sheet.objects(grant.bounds)), _terms(grant), _uses(grant)]
        for grant in found
    ]
    empty = "nothing is refused for good" if denied else "nothing is granted"
    table(["ID", "PROGRAM", "ACTION", "COVERS", "TERMS", "USED"], rows, empty)


def _terms(grant: pb.Grant) -> str:
    until = f" {when(grant.until_ms)}" if grant.until_ms else ""
    state = values.state(grant)
    return values.terms(grant.terms) + until + (f" ({state})" if state not in ("live", "denied") else "")


def _uses(grant: pb.Grant) -> str:
    left = f" of {grant.uses + grant.uses_left}" if grant.uses_left >= 0 and grant.terms == pb.CHOICE_ONCE else ""
    return f"{grant.uses}×{left} {when(grant.last_used_ms)}".rstrip() if grant.uses else "never"


def explain(program: pb.Program, capabilities: Iterable[pb.CapabilityInfo], counts: bool) -> None:
    """What a program may ask, in plain words."""
    out, file = console(), PurePath(program.path).name
    out.print(Text(f"{quoted(file)}", "bold"), Text(f"is {sheet.name(program)}, version {program.digest[:12]}"))
    if program.has_manifest:
        _lines("may, once you allowed it", [line for line in program.lines if not line.always_asks], counts)
        _lines("asks you each time", [line for line in program.lines if line.always_asks], counts)
        out.print(Text("\nnever", "bold"))
        out.print(Text("\n".join(f"  {each}" for each in _never(program, capabilities))))
    else:
        out.print(Text("\nhas no manifest, so it has no ceiling", "bold yellow"))
        out.print(Text("  it runs only while you are here, and asks you for each thing it touches"))
        out.print(Text("  after a run, `agentos manifest` writes the manifest that it turned out to need"))
    armed.starts(program, "starts by itself, once you armed it")
    out.print(Text("\nlimits", "bold"))
    out.print(Text(f"  {_limits(program.limits)}"))


def _lines(title: str, lines: Sequence[pb.Line], counts: bool) -> None:
    if not lines:
        return
    console().print(Text(f"\n{title}", "bold"))
    rows: list[list[Cell]] = []
    for line in lines:
        first, *rest = sheet.objects(line.bounds, line.secrets, line.action)
        note = sheet.note(pb.Line(action=line.action, state=line.state), line.bounds, counts)
        rows.append([f"  {sheet.verb(line)}", first, note, (line.source, "dim")])
        rows.extend(["", each, "", ""] for each in rest)
    grid(rows)


def _never(program: pb.Program, capabilities: Iterable[pb.CapabilityInfo]) -> list[str]:
    """What stays out of reach, whatever the person answers: the ceiling."""
    covered, told, hosts = set(program.covered), [], False
    for capability in capabilities:
        if capability.state == "kernel":
            continue
        hosts |= capability.network and not covered.isdisjoint(each.name for each in capability.actions)
        out = [each.name for each in capability.actions if not each.inherent and each.name not in covered]
        if out:
            told.append(", ".join(out))
    told.append(f"any file, folder{', host' if hosts else ''} or place that is not listed above")
    told.append(f"{'' if hosts else 'the network, '}mail, other programs, the environment: there is no way to them")
    return told


def _limits(limits: pb.Limits) -> str:
    parts = [
        f"memory {size(limits.memory_bytes)}",
        f"cpu {span(limits.cpu_ms * 1000)}",
        f"wall {span(limits.wall_ms * 1000)}",
        plural(limits.calls, "call"),
        f"output {size(limits.output_bytes)}",
    ]
    return " · ".join(parts)


# ---- the kernel


def capabilities(found: Iterable[pb.CapabilityInfo]) -> None:
    for capability in found:
        pid = f" pid {capability.pid}" if capability.pid else ""
        again = f", restarted {capability.restarts}×" if capability.restarts else ""
        out = console()
        out.print(
            Text(quoted(capability.name), "bold"),
            Text(f"  {quoted(capability.about)} · {capability.state}{pid}{again}"),
        )
        rows: list[list[Cell]] = [
            [f"  {action.name}", values.effect(action.effect), ", ".join(action.bounds), _implies(action)]
            for action in capability.actions
        ]
        grid(rows)


def _implies(action: pb.ActionInfo) -> str:
    return f"covers {', '.join(action.implies)}" if action.implies else ""


def doctor(found: pb.DoctorResponse) -> None:
    rows: list[list[Cell]] = [
        [
            ("held", "green") if wall.held else ("MISSING", "red"),
            wall.name,
            f"{wall.about}\n{wall.note}" if wall.note else wall.about,
        ]
        for wall in found.walls
    ]
    table(["", "WALL", "WHAT IT MEANS"], rows, "no wall was tried")
    out, missing = console(), sum(not wall.held for wall in found.walls)
    verdict = f"{plural(missing, 'wall is', 'walls are')} missing" if missing else "every wall held when tried"
    out.print(Text(f"\n{verdict}", "red" if missing else "green"))
    out.print(Text(f"kernel  pid {found.pid}, version {quoted(found.version)}, home {quoted(found.home)}"))
    out.print(Text(f"guest   {quoted(found.guest.path)}\n        SHA-256 {quoted(found.guest.digest)}"))
    out.print(Text(f"        imports {', '.join(map(quoted, found.guest.imports))}, and nothing else"))
