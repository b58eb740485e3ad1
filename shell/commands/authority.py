"""Questions and grants: inbox, approve, deny, grants, revoke."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from agentos.shell import armed, pages, prompt, sheet, values
from agentos.shell.again import again
from agentos.shell.connect import Kernel
from agentos.shell.failure import Failure
from agentos.shell.follow import question
from agentos.shell.paint import emit, say
from agentos.shell.session import ALL, DEFAULTS, Common, Flag, Optional
from agentos.shell.terminal import open_terminal
from agentos.shell.text import quoted
from agentos.v1 import control_pb2 as pb
from agentos.v1 import events_pb2

FOR = {"once": pb.CHOICE_ONCE, "run": pb.CHOICE_RUN, "until": pb.CHOICE_UNTIL, "version": pb.CHOICE_VERSION}


def inbox(*, common: Common = DEFAULTS) -> int:
    """List what waits for you.

    Questions, calls of which nobody can tell whether they happened, programs
    that are paused, and events that were given up.
    """
    with common.kernel(start=False) as kernel:
        waiting = _waiting(kernel)
        unknown = kernel.call(kernel.stub.ListUnknown, pb.ListUnknownRequest()).calls
        programs = kernel.call(kernel.events.ListArmed, events_pb2.ListArmedRequest()).programs
        given_up = kernel.call(kernel.events.ListEvents, events_pb2.ListEventsRequest()).dead
    if common.answer([values.prompt(each) for each in waiting]):
        return 0
    for cut in unknown:
        emit(f"{cut.run}  call {cut.call.seq}, {quoted(cut.call.summary)}: it was cut off; did it happen?")
        emit(again(f"  agentos settle {cut.run} {cut.call.seq} --happened · --did-not"))
    for each in waiting:
        emit(f"{each.id}  run {each.run}")
        sys.stdout.write(question(each, not common.on, sys.stdout) + "\n")
        emit(again(f"  agentos approve {each.id} · agentos deny {each.id}"))
    stopped = [*armed.paused(programs), *armed.dead(given_up)]
    for told in stopped:
        emit(again(told))
    if not waiting and not unknown and not stopped:
        emit("no question waits")
    return 0


def approve(
    question: str,
    /,
    *,
    for_: Annotated[Literal["once", "run", "version"] | None, Optional] = None,
    until: Annotated[str | None, Optional] = None,
    line: Annotated[list[int] | None, Optional] = None,
    scope: Annotated[int, Optional] = 1,
    digest: Annotated[str | None, Optional] = None,
    common: Common = DEFAULTS,
) -> int:
    """Answer a question that waits: at a terminal as it would be asked, else with --for or --until.

    Parameters
    ----------
    question
        The question's id, from agentos inbox.
    for_
        How long the yes holds: once (this one call), run (until the run ends), version (while this version lives).
    until
        A time instead: 30m, 2h, 3d, or 18:00.
    line
        Only these lines of the question; the others stay open in a review, and are a no elsewhere.
    scope
        How wide: 1 is the narrowest, and the others are numbered as the question shows them.
    digest
        The digest that was shown (or its beginning): anything else is not approved.
    """
    with common.kernel(start=False) as kernel:
        asked = _asked(kernel, question)
        if digest and not asked.digest.startswith(digest):
            raise Failure(f"{question} asks something else than what was shown", "look again: agentos inbox")
        terminal = open_terminal()
        if for_ or until:
            decisions = _decisions(asked, FOR[for_ or "until"], _moment(until), line, scope)
        elif terminal:
            decisions = prompt.Asking(asked, terminal, counts=kernel.local).decisions()
        else:
            raise Failure("how long the yes holds must be said", f"agentos approve {question} {_ways(asked.lines)[0]}")
        minted = _answer(kernel, asked, decisions)
    if not common.answer({"question": question, "grants": minted}):
        say(f"granted {', '.join(minted)}" if minted else "nothing was granted")
    return 0


def deny(question: str, /, *, never: Annotated[bool, Flag] = False, common: Common = DEFAULTS) -> int:
    """Answer a question that waits with no.

    Parameters
    ----------
    question
        The question's id, from agentos inbox.
    never
        Do not ask again for this program and this thing; agentos grants --denied lists such a no.
    """
    with common.kernel(start=False) as kernel:
        asked = _asked(kernel, question)
        choice = pb.CHOICE_NEVER if never else pb.CHOICE_NO
        _answer(kernel, asked, [pb.Decision(number=each.number, choice=choice) for each in asked.lines if each.offers])
    if not common.answer({"question": question, "grants": []}):
        say(f"{question} is a no" + (", and will not be asked again" if never else ""))
    return 0


def grants(
    *, denied: Annotated[bool, Flag] = False, all_: Annotated[bool, ALL] = False, common: Common = DEFAULTS
) -> int:
    """List what programs are allowed.

    Parameters
    ----------
    denied
        List what is never asked again, instead.
    all_
        Also grants that were used up, have ended or were revoked.
    """
    with common.kernel() as kernel:
        found = kernel.call(kernel.stub.ListGrants, pb.ListGrantsRequest(denied=denied, all=all_)).grants
    if not common.answer([values.grant(each) for each in found]):
        pages.grants(found, denied)
    return 0


def revoke(grant: str, /, *, common: Common = DEFAULTS) -> int:
    """Take back a grant and all that was derived from it, or undo a "never ask again".

    Parameters
    ----------
    grant
        Its id, from agentos grants.
    """
    with common.kernel() as kernel:
        taken = kernel.call(kernel.stub.Revoke, pb.RevokeRequest(id=grant))
    if not common.answer({"revoked": list(taken.ids), "under_way": list(taken.under_way)}):
        say(f"revoked {', '.join(taken.ids)}")
        for call in taken.under_way:
            say(f"  call {call} had begun before that", "yellow")
    return 0


def _waiting(kernel: Kernel) -> list[pb.Prompt]:
    return list(kernel.call(kernel.stub.Inbox, pb.InboxRequest()).prompts)


def _asked(kernel: Kernel, name: str) -> pb.Prompt:
    for each in _waiting(kernel):
        if each.id == name:
            return each
    raise Failure(f"no question {name} waits", "agentos inbox lists those that do", code="not_found")


def _moment(until: str | None) -> int:
    if until is None:
        return 0
    if moment := prompt.until(until, datetime.now().astimezone()):
        return moment
    raise Failure(f"{until} is no time", "say 30m, 2h, 3d, or 18:00")


def _decisions(
    asked: pb.Prompt, choice: pb.Choice.ValueType, until_ms: int, lines: list[int] | None, scope: int
) -> list[pb.Decision]:
    chosen = [each for each in asked.lines if each.offers and (lines is None or each.number in lines)]
    if not chosen:
        raise Failure(f"{asked.id} has no such line to answer", "agentos inbox shows its lines")
    for each in chosen:
        if all(offer.choice != choice for offer in each.offers):
            hint = f"agentos approve {asked.id} {' or '.join(_ways([each]))}"
            raise Failure(f"line {each.number} of {asked.id} cannot be answered like that", hint)
    return [
        pb.Decision(number=each.number, choice=choice, until_ms=until_ms, bounds=_scope(asked, each, scope))
        for each in chosen
    ]


def _ways(lines: Iterable[pb.Line]) -> list[str]:
    """The options that answer these lines with a yes."""
    offered = {offer.choice for line in lines for offer in line.offers}
    ways = [f"--for {word}" if word != "until" else "--until 2h" for word, choice in FOR.items() if choice in offered]
    return ways or ["--for once"]


def _scope(asked: pb.Prompt, line: pb.Line, scope: int) -> sheet.Bounds:
    scopes = sheet.scopes(line)
    if 1 <= scope <= len(scopes):
        return scopes[scope - 1]
    raise Failure(f"line {line.number} of {asked.id} has no scope {scope}", "agentos inbox shows what it offers")


def _answer(kernel: Kernel, asked: pb.Prompt, decisions: list[pb.Decision]) -> list[str]:
    request = pb.AnswerRequest(prompt=asked.id, digest=asked.digest, decisions=decisions)
    return list(kernel.call(kernel.stub.Answer, request).grants)
