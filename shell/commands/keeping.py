"""What is kept of runs: forget one, prune the old ones, write one out."""

from __future__ import annotations

import json
import os
import time
from typing import Annotated

from agentos.shell import export as exports
from agentos.shell import values
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import say
from agentos.shell.progress import bar
from agentos.shell.render import when
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.shell.sure import typed
from agentos.shell.text import plural, size
from agentos.v1 import control_pb2 as pb

DAY_US = 24 * 3600 * 1_000_000
SPANS = {"h": DAY_US // 24, "d": DAY_US, "w": 7 * DAY_US, "y": 365 * DAY_US}
AT_MOST_S = 24 * 3600.0


def forget(run: str, /, *, yes: Annotated[bool, Flag] = False, common: Common = DEFAULTS) -> int:
    """Erase what a run was given, did and said, for good; that it was, and what it was allowed, stays on record.

    Parameters
    ----------
    run
        A run that is over, by its id; last is the newest.
    yes
        Without the question.
    """
    with common.kernel() as kernel:
        known = kernel.call(kernel.stub.ShowRun, pb.ShowRunRequest(run=run)).run
        say(f"{known.id}, a run of {known.program}: its input, output, result and {known.calls} calls will be erased.")
        if not (yes or typed(f"Erase them for good? type {known.id} > ", known.id)):
            raise Failure("nothing was erased", "", Exit.REFUSED, "denied")
        kernel.call(kernel.stub.ForgetRun, pb.ForgetRunRequest(run=known.id))
    if not common.answer({"forgotten": known.id}):
        say(f"{known.id} is forgotten")
    return 0


def prune(
    *,
    older_than: Annotated[str, Optional] = "",
    program: Annotated[str, Optional] = "",
    keep: Annotated[int, Optional] = 0,
    dry_run: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Forget old runs for good, and give their room on the disk back.

    Of each goes what `agentos forget` takes: its input, calls, output and result.
    That it was, and what it was allowed, stays on record. A run that is not over
    stays, and so does all that still counts: grants and how often they were used. A
    kernel goes on meanwhile. Where no program is named, what old events said that
    no run got goes too.

    Parameters
    ----------
    older_than
        Runs that ended, and events that came, longer ago than this: 12h, 90d, 8w, 1y.
    program
        Of this program alone, by its name or path.
    keep
        So many runs of each program stay, the newest.
    dry_run
        Say what would be forgotten, and forget nothing.
    yes
        Without the question.
    """
    asked = _old(older_than, program, keep)
    with common.kernel() as kernel:
        found = list(kernel.stream(kernel.stub.PruneRuns, asked, AT_MOST_S))[-1]
        if not (found.chosen or found.events) or dry_run:
            if not common.answer(_pruned(found)):
                say(_chosen(found))
            return 0
        if not common.json:
            say(_chosen(found))
        if not (yes or typed("Forget them for good? type yes > ", "yes")):
            raise Failure("nothing was forgotten", "", Exit.REFUSED, "denied")
        found = _forgotten(kernel, asked)
    if not common.answer(_pruned(found)):
        before, now = size(found.size_before), size(found.size)
        say(f"forgot {_counted(found.forgotten, found.events)}; the home's database has {now} now, and had {before}")
    return 0


def _old(older_than: str, program: str, keep: int) -> pb.PruneRunsRequest:
    """What is old enough, as the kernel is asked for it; it only says, and forgets nothing yet."""
    if not older_than and not keep:
        raise Failure("prune needs to know what is old", "say --older-than 90d, or --keep 100, or both")
    if keep < 0:
        raise Failure("--keep is a number of runs, 0 or more")
    before_us = time.time_ns() // 1000 - (_span_us(older_than) if older_than else 0)
    if os.sep in program or os.path.exists(program):
        program = os.path.abspath(os.path.expanduser(program))
    return pb.PruneRunsRequest(before_us=before_us, program=program, keep=keep, only_say=True)


def _forgotten(kernel: Kernel, asked: pb.PruneRunsRequest) -> pb.PruneRunsResponse:
    """Have it forgotten for good, and show how far that is; what it came to."""
    asked.only_say, found = False, pb.PruneRunsResponse()
    with bar("forgetting") as progress:
        for found in kernel.stream(kernel.stub.PruneRuns, asked, AT_MOST_S):
            progress(found.forgotten, found.chosen)
    return found


def _chosen(found: pb.PruneRunsResponse) -> str:
    said = []
    if found.chosen:
        first, last = when(found.first_us // 1000), when(found.last_us // 1000)
        of = f"{plural(found.chosen, 'run')} of {plural(found.programs, 'program')}"
        said.append(f"{of}, from {first} to {last}: what they were given, did and said.")
    if found.events:
        said.append(f"{plural(found.events, 'event')} that no run got: what they said.")
    return "\n".join(said) or "there is no such run to forget"


def _counted(runs: int, events: int) -> str:
    return " and ".join([plural(runs, "run")] * bool(runs or not events) + [plural(events, "event")] * bool(events))


def _pruned(found: pb.PruneRunsResponse) -> dict[str, object]:
    return {
        "chosen": found.chosen,
        "programs": found.programs,
        "events": found.events,
        "first": found.first_us // 1000 or None,
        "last": found.last_us // 1000 or None,
        "forgotten": found.forgotten,
        "size_before": found.size_before,
        "size": found.size,
    }


def _span_us(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and len(number) < 6 and unit in SPANS):
        raise Failure(f"{text} is no span of time", "say 12h, 90d, 8w or 1y")
    return int(number) * SPANS[unit]


def export(
    run: str = "last",
    /,
    *,
    to: Annotated[str, Optional] = "",
    full: Annotated[bool, Flag] = False,
    with_program: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Write a run into a file that a bug report can carry.

    Every path, host, value and word of yours is left out by default: a mark stands
    in its place, the same for the same text within this file, and made with a key
    that is thrown away.

    Parameters
    ----------
    run
        Its id, or last.
    to
        The file; else RUN.json here. Nothing may be there yet.
    full
        Leave nothing out. It is asked, since the file then holds what the run read and wrote.
    with_program
        With the text of the program.
    yes
        Without the question.
    """
    request = pb.ShowRunRequest(run=run, with_source=with_program)
    with common.kernel() as kernel:
        found = kernel.call(kernel.stub.ShowRun, request)
    target = os.path.abspath(os.path.expanduser(to or f"{found.run.id}.json"))
    if full and not (yes or typed(f"All that {found.run.id} saw will be readable. type yes > ", "yes")):
        raise Failure("nothing was written", "leave --full out", Exit.REFUSED, "denied")
    whole = exports.whole(values.exported(found), full=full)
    if with_program:
        whole["program"] = found.source.content.decode("utf-8", "replace") or None
    _write(target, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    if not common.answer({"run": found.run.id, "file": target, "full": full}):
        say(f"wrote {target}" + ("" if full else ": no text of yours is in it. Look at it before you send it."))
    return 0


def _write(target: str, text: str) -> None:
    """A file of the person alone, and never in the place of another."""
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
    except FileExistsError:
        raise Failure(f"{target} is there already", "name another file with --to") from None
    except OSError as wrong:
        raise Failure(
            f"{target} cannot be written: {os.strerror(wrong.errno or 0)}", "name another with --to"
        ) from None
