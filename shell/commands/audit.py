"""The journal, looked at: whether it is what was written, who was allowed what, and how far it had come."""

from __future__ import annotations

import json
import os
from typing import Annotated, Literal, cast

from agentos.shell import homes, start
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.shell.sure import typed
from agentos.shell.text import printable

Kind = Literal["grants", "events", "answers", "refusals", "runs", "programs", "secrets", "capabilities", "home"]


def audit(
    verb: Literal["show", "verify", "head", "accept"] = "show",
    /,
    *,
    since: Annotated[str, Optional] = "",
    program: Annotated[str, Optional] = "",
    kind: Annotated[list[Kind] | None, Optional] = None,
    head: Annotated[list[str] | None, Optional] = None,
    keep_in: Annotated[str, Optional] = "",
    not_in: Annotated[str, Optional] = "",
    where: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Look at the record of everything: who was allowed what, and whether the record is what was written.

    `show` tells who was allowed what, when, and by whose answer. `verify` checks
    all of it with a program that shares no code with the kernel; a kernel may be up
    meanwhile. `head` prints one line that says how far the record has come: keep it
    on paper or elsewhere, and have it checked later. It is kept in a file away from
    the database; with --keep-in it is kept in this device's keyring as well, or in
    a folder on another disk, and each start asks there too. `accept` goes on from a
    home that is not what was known of it, such as a backup that you put back: it is
    asked, and recorded.

    Parameters
    ----------
    verb
        show, verify, head or accept.
    since
        show: from when on; 30m, 2h, 3d, 1w, or 2026-11-20.
    program
        show: of this program, by its name or path.
    kind
        show: of these kinds; else grants, events, secrets, capabilities and home.
    head
        verify: a line of agentos audit head that was kept elsewhere.
    keep_in
        head: keep it there as well: keyring, or the path of a folder that is there.
    not_in
        head: keep it there no more; that place may be gone.
    where
        head: say where else it is kept, and what is there.
    yes
        accept: without the question.
    """
    common.here("audit")
    if verb == "head":
        return _places(common, keep_in, not_in) if keep_in or not_in or where else _head(common)
    if keep_in or not_in or where:
        raise Failure(f"{verb} keeps no head", "agentos audit head --keep-in PLACE, --not-in PLACE, or --where")
    if verb == "accept":
        return _accept(common, yes)
    if verb == "verify":
        return _read(common, verb, [f"--head={line.strip()}" for line in head or ()])
    return _read(common, verb, [f"--since={since}", f"--program={program}", *(f"--kind={each}" for each in kind or ())])


def _read(common: Common, verb: str, options: list[str]) -> int:
    """Have the auditor read the whole record, and say what it says."""
    arguments = [verb, *options, *(["--json"] if common.json else [])]
    said = _unlocked(common, "audit", f"--arguments={json.dumps(arguments)}")
    output, status = printable(str(said["output"]).rstrip("\n")), int(str(said["status"]))
    if status not in (Exit.DONE, Exit.FAILED):
        reason = json.loads(output)["error"] if common.json else output
        raise Failure(reason, "see: agentos audit --help")
    if common.json and verb == "show":
        output = f"[{', '.join(output.splitlines())}]"
    if output:
        emit(output)
    else:
        say("nothing of that is on record")
    return status


def _head(common: Common) -> int:
    said = start.home_says("head", *start.placed(common.home))
    if not common.answer({"home": said["home"], "head": said["head"]}):
        emit(str(said["head"]))
    return 0


def _places(common: Common, keep_in: str, not_in: str) -> int:
    """Change where else the head is kept, and say where that is."""
    change = [f"--{name}={value}" for name, value in (("keep-in", _spelt(keep_in)), ("not-in", not_in)) if value]
    kept = cast(list[dict[str, object]], _unlocked(common, "head", *(change or ["--where"]))["kept"])
    if common.answer({"kept": [{name: each[name] for name in ("where", "state", "seq")} for each in kept]}):
        return 0
    for each in kept:
        emit(f"{printable(str(each['where']))}  {printable(str(each['state']))}")
    if not kept:
        say("the head is kept in its file alone: agentos audit head --keep-in keyring, or a folder on another disk")
    return 0


def _spelt(place: str) -> str:
    """A folder as it is called from anywhere."""
    return place if place in ("", "keyring") else os.path.abspath(os.path.expanduser(place))


def _accept(common: Common, yes: bool) -> int:
    seen = _unlocked(common, "look")["seen"]
    if not isinstance(seen, dict):
        if not common.answer({"accepted": False}):
            say("there is nothing to accept: this home is what was known of it")
        return 0
    say(f"What was seen: {seen['reason']}.", "bold")
    say(f"It ends at record {seen['seq']}. If you go on from it, that is recorded for good, and what")
    say("came after it, where there was more, is not: a grant that was revoked since then holds again.")
    if not (yes or typed("Go on from it? type yes > ", "yes")):
        raise Failure("nothing was accepted", "bring back what is missing, or say yes", Exit.REFUSED, "denied")
    _unlocked(common, "accept")
    if not common.answer({"accepted": True, "seen": seen}):
        say("accepted: the next start goes on from it. Look at what holds: agentos grants")
    return 0


def _unlocked(common: Common, verb: str, *options: str) -> dict[str, object]:
    """What the home's own command says, unlocked with the first secret that opens it."""
    return homes.unlocked(
        common.home, lambda home, secret: start.home_says(verb, "--home", home, *options, secret=secret)
    )
