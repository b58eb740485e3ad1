"""The journal, looked at: whether it is what was written, who was allowed what, and how far it had come."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from agentos.shell import homes, start
from agentos.shell.failure import Exit, Failure, no_kernel
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
    yes: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Look at the record of everything: who was allowed what, and whether the record is what was written.

    `show` tells who was allowed what, when, and by whose answer. `verify` checks all
    of it with a program that shares no code with the kernel; a kernel may be up meanwhile.
    `head` prints one line that says how far the record has come: keep it on paper or
    elsewhere, and have it checked later. `accept` goes on from a home that is not what
    was known of it, such as a backup that you put back: it is asked, and recorded.

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
    yes
        accept: without the question.
    """
    common.here("audit")
    if verb == "head":
        return _head(common)
    if verb == "accept":
        return _accept(common, yes)
    if verb == "verify":
        options = [f"--head={line.strip()}" for line in head or ()]
    else:
        options = [f"--since={since}", f"--program={program}", *(f"--kind={each}" for each in kind or ())]
    arguments = [verb, *options, *(["--json"] if common.json else [])]
    said = _unlocked(common, "audit", f"--arguments={json.dumps(arguments)}")
    emit(printable(str(said["output"]).rstrip("\n")))
    return {0: Exit.DONE, 1: Exit.FAILED}.get(int(str(said["status"])), Exit.USAGE)


def _head(common: Common) -> int:
    said = start.home_says("head", *start.placed(common.home))
    if not common.answer({"home": said["home"], "head": said["head"]}):
        emit(str(said["head"]))
    return 0


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
    found = start.where(common.home)
    if not found.exists:
        raise no_kernel(f"there is no home yet: {found.home}", "make one: agentos init")
    wrong = Failure("the home is locked")
    for secret in homes.secrets(found.locks):
        try:
            return start.home_says(verb, "--home", found.home, *options, secret=secret)
        except Failure as failed:
            wrong = failed
            if failed.code not in ("passphrase_needed", "wrong_passphrase"):
                break
    raise wrong
