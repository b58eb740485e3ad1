"""What a question shows: its lines with what they cover, where each argument came from, and what each key mints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import PurePath

from agentos.shell.count import covered
from agentos.shell.paint import columns, fitted, paint
from agentos.shell.text import plural, quoted
from agentos.v1 import annotations_pb2, capability_pb2
from agentos.v1 import control_pb2 as pb

EFFECTS = {
    annotations_pb2.EFFECT_OBSERVE: "only looks",
    annotations_pb2.EFFECT_KEEP: "can be undone",
    annotations_pb2.EFFECT_REACH: "leaves this machine",
    annotations_pb2.EFFECT_DESTROY: "cannot be undone",
    annotations_pb2.EFFECT_SPEND: "costs money or a paid budget",
    annotations_pb2.EFFECT_GOVERN: "changes what runs here, or who may do what",
}
TERMS = (
    (pb.CHOICE_ONCE, "once      this one call, as shown"),
    (pb.CHOICE_RUN, "run       every such call until this run ends"),
    (pb.CHOICE_UNTIL, "until     every such call until the time you name"),
    (pb.CHOICE_VERSION, "version   every such call while this version of the program lives"),
    (pb.CHOICE_TERMINAL, "terminal  whatever the version, until this terminal closes"),
)
STATES = {
    pb.LINE_STATE_KEPT: "as before",
    pb.LINE_STATE_WIDER: "wider than before",
    pb.LINE_STATE_GRANTED: "granted already",
    pb.LINE_STATE_DROPPED: "no longer asked",
}
EVENTS = {"event.send": "send an event", "event.wait_for": "wait for an event"}
# How many places outside a question names; `agentos show` lists them all.
NAMED = 5
# How many URLs stand each in a row; of more, those of one host and scheme share one.
URLS = 8
USUAL = {"https": "443", "http": "80"}
Bounds = Sequence[capability_pb2.Bound]


def name(program: pb.Program) -> str:
    """The program's name as it claims it, and its file where the two differ."""
    file = PurePath(program.path)
    shown = quoted(program.name or file.name, 60)
    return shown if program.name in ("", file.name, file.stem) else f"{shown} ({quoted(file.name, 60)})"


def verb(line: pb.Line) -> str:
    """'read' for a line about paths alone, words for one about events, else the whole capability.action."""
    if line.action in EVENTS:
        return EVENTS[line.action]
    return line.action.partition(".")[2] if line.action.startswith("files.") else quoted(line.action, 60)


def objects(bounds: Bounds, secrets: Iterable[pb.SecretInfo] = (), action: str = "") -> list[str]:
    """What bounds cover, one a row: paths and events as they are, URLs put together, anything else with its name.

    Of `secrets`, those that the bounds name are told with the places that they go to.
    """
    held = {bound.name: list(bound.values) for bound in bounds}
    lent = [secret for secret in secrets if secret.name in held.get("secret", ())]
    shown = _urls(held) if {"scheme", "host"} <= held.keys() else []
    for name, values in sorted(held.items(), key=lambda each: each[0] != "path"):
        known = [secret.name for secret in lent] if name == "secret" else []
        other = [value for value in values if value not in known]
        itself = name == "path" or (name == "name" and action in EVENTS)
        shown += other if itself else [f"{name} {', '.join(other)}"] if other else []
    return [quoted(value, 400) for value in [*shown, *map(lending, lent)]] or ["anything: it has no bound"]


def aim(targets: Iterable[capability_pb2.Target]) -> str:
    """What a call is about, in one piece: a URL put together, two paths with an arrow between them."""
    held = {target.name: [target.value] for target in targets}
    url = _urls(held) if {"scheme", "host"} <= held.keys() else []
    return " → ".join(quoted(value, 400) for value in [*url, *(value for [value] in held.values() if value)])


def _urls(held: dict[str, list[str]]) -> list[str]:
    """The parts of URLs put together, one URL a row, and taken out of what is to be shown; as is what is as usual."""
    methods, schemes, hosts = ", ".join(held.pop("method", [])), held.pop("scheme"), held.pop("host")
    ports, paths = held.pop("port", [""]), held.pop("path", [""])
    if held.get("network") == ["public"]:
        del held["network"]
    if len(hosts) * len(schemes) * len(ports) * len(paths) > URLS:
        ports, paths = [", ".join(ports)], [", ".join(paths)]
    return [
        f"{methods} {scheme}://{host}{_port(scheme, port)}{path}".strip()
        for host, scheme, port, path in product(hosts, schemes, ports, paths)
    ]


def _port(scheme: str, port: str) -> str:
    return "" if port in ("", USUAL.get(scheme)) else f":{port}"


def lending(secret: pb.SecretInfo) -> str:
    """That a program's calls go out with a secret, and where to."""
    if not secret.places:
        return f"with the secret {secret.name}, which is not set yet: agentos secrets set {secret.name}"
    return f"with the secret {secret.name}, which goes to {', '.join(secret.places)} alone"


def note(line: pb.Line, bounds: Bounds, counts: bool) -> str:
    """What else is to know of a line: how much it covers now, how it stands, whether it asks each time."""
    paths = [value for bound in bounds if bound.name == "path" for value in bound.values]
    said = [
        covered(line.action, paths) if counts and paths and line.action.startswith("files.") else "",
        STATES.get(line.state, ""),
        "asked each time" if line.always_asks else "",
    ]
    return " · ".join(filter(None, said))


def grant(line: pb.Line) -> list[list[str]]:
    """A line that was granted as cells; a second object goes below the first."""
    first, *rest = objects(line.bounds, line.secrets, line.action)
    return [[verb(line), first], *(["", each] for each in rest)]


def rows(line: pb.Line, bounds: Bounds, counts: bool) -> list[list[str]]:
    """A line of a review as cells; a second object goes below the first."""
    first, *rest = objects(bounds, line.secrets, line.action)
    return [[str(line.number), verb(line), first, note(line, bounds, counts)], *(["", "", each, ""] for each in rest)]


def review(prompt: pb.Prompt, edited: dict[int, Bounds], counts: bool, colour: bool, width: int = 0) -> str:
    """The screen before the first run of a version."""
    asked = [line for line in prompt.lines if line.state != pb.LINE_STATE_GRANTED]
    update = any(line.state != pb.LINE_STATE_NEW for line in prompt.lines)
    cells = []
    for line in asked:
        first, *rest = rows(line, edited.get(line.number, line.bounds), counts)
        if update and line.state == pb.LINE_STATE_NEW:
            first[-1] = " · ".join(filter(None, [first[-1], "new"]))
        cells += [first, *rest]
    why = f" ({quoted(prompt.why)})" if prompt.why else ""
    head = paint(f"{name(prompt.program)} wants", "bold", "yellow", on=colour)
    return "\n".join([f"{head}{why}:", *fitted(cells, width)])


def call(prompt: pb.Prompt, line: pb.Line, counts: bool, colour: bool, width: int = 0) -> str:
    """The screen of one call that asks: the resolved object, where it came from, and the scopes on offer."""
    head = paint(f"{name(prompt.program)} wants to {quoted(line.summary, 400)}", "bold", "yellow", on=colour)
    about = [["what", f"{quoted(line.action)} · {EFFECTS.get(line.effect, 'of unknown effect')}"]]
    about += _found_out(line)
    about += [["from", quoted(origin, 400)] for origin in _origins(line.origins)]
    about += [["with", quoted(lending(secret).removeprefix("with "), 400)] for secret in line.secrets]
    about += [["why", quoted(prompt.why)]] if prompt.why else []
    about += [["note", outside(prompt.outside)]] if prompt.outside else []
    wide = [[str(place), *_scope(line, bounds, counts)] for place, bounds in enumerate(scopes(line), 1)]
    return "\n".join([head, *columns(about), *(fitted(wide, width) if len(wide) > 1 else [])])


def batch(prompt: pb.Prompt, colour: bool, width: int = 0) -> str:
    """The screen of several calls made at once: one line each."""
    head = f"{name(prompt.program)} wants {plural(len(prompt.lines), 'thing')} at once"
    cells = [[str(line.number), quoted(line.summary) + _besides(line), _from(line)] for line in prompt.lines]
    why = f" ({quoted(prompt.why)})" if prompt.why else ""
    said = columns([["note", outside(prompt.outside)]]) if prompt.outside else []
    return "\n".join([paint(head, "bold", "yellow", on=colour) + why + ":", *said, *fitted(cells, width)])


def outside(places: Sequence[str]) -> str:
    """What a person has to know before a yes: whose words the run has read, and so may be acting on."""
    shown = ", ".join(quoted(place, 100) for place in places[:NAMED])
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return f"this run has read from outside: {shown}{more}"


def _with(line: pb.Line) -> str:
    return "".join(f" with the secret {secret.name}" for secret in line.secrets)


def _besides(line: pb.Line) -> str:
    return "".join(f", {name} {value}" for name, value in _found_out(line)) + _with(line)


def _found_out(line: pb.Line) -> list[list[str]]:
    """What the capability says the call would touch besides what the program named: the file that a move replaces."""
    named = {origin.partition(" ")[0] for origin in line.origins}
    found = [target for target in line.targets if target.value and target.name not in named]
    return [[quoted(target.name), quoted(target.value, 400)] for target in found]


def _origins(origins: Iterable[str]) -> list[str]:
    """Where the arguments came from, those that came from one place together: 'host, port written in a.py:2'."""
    places: dict[str, list[str]] = {}
    for origin in origins:
        argument, _, place = origin.partition(" ")
        places.setdefault(place, []).append(argument)
    return [f"{', '.join(arguments)} {place}".rstrip() for place, arguments in places.items()]


def _from(line: pb.Line) -> str:
    return quoted("; ".join(_origins(line.origins))) + (" · asked each time" if line.always_asks else "")


def scopes(line: pb.Line) -> list[Bounds]:
    """The different bounds on offer, narrowest first, as the kernel orders them."""
    found: list[Bounds] = []
    for offer in line.offers:
        if list(offer.bounds) not in [list(bounds) for bounds in found]:
            found.append(offer.bounds)
    return found


def _scope(line: pb.Line, bounds: Bounds, counts: bool) -> list[str]:
    label = next(offer.label for offer in line.offers if list(offer.bounds) == list(bounds))
    scope = label.rpartition(", ")[0] or "only this"
    return [
        ", ".join(objects(bounds)),
        " · ".join(filter(None, [quoted(scope), note(pb.Line(action=line.action), bounds, counts)])),
    ]


def details(prompt: pb.Prompt, edited: dict[int, Bounds], width: int) -> str:
    """All there is to know, for `?`: exactly what would be minted, and for which version."""
    told = [
        f"program   {quoted(prompt.program.path, 4096)}",
        f"version   {quoted(prompt.program.digest)}",
        f"question  {quoted(prompt.id)} of run {quoted(prompt.run)}, digest {quoted(prompt.digest)}",
    ]
    for line in prompt.lines:
        told.append(f"line {line.number}    {quoted(line.action)}: {EFFECTS.get(line.effect, 'of unknown effect')}")
        for bound in edited.get(line.number, line.bounds):
            told += [f"          {quoted(bound.name)} = {quoted(value, 4096)}" for value in bound.values]
        told += [f"          {quoted(lending(secret), 4096)}" for secret in line.secrets]
        told += [f"          asked for in {quoted(line.source)}"] if line.source else []
        told += [f"          {quoted(origin, 4096)}" for origin in line.origins]
    offered = {offer.choice for line in prompt.lines for offer in line.offers}
    told += [said for choice, said in TERMS if choice in offered]
    told += ["no        not this time; never: not again (agentos grants --denied lists it, revoke undoes it)"]
    told.append("A yes mints a grant for this program alone, with these bounds: nothing else becomes possible.")
    told.append("Take it back any time: agentos grants, agentos revoke ID.")
    return "\n".join(piece for each in told for piece in _hanging("  " + each, width))


def _hanging(line: str, width: int) -> list[str]:
    """A line in pieces of that width, each but the first below the text of the first; every blank of it is kept."""
    return textwrap.wrap(line, width, subsequent_indent=" " * 12, drop_whitespace=False, break_on_hyphens=False)
