"""agentos run: from a program's path to an exit code."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from agentos.shell import source, values
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure
from agentos.shell.follow import Follower, closing
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common, Flag, Optional
from agentos.shell.terminal import open_terminal
from agentos.shell.text import printable
from agentos.v1 import control_pb2 as pb

EXITS = {
    pb.RUN_STATUS_DONE: Exit.DONE,
    pb.RUN_STATUS_REFUSED: Exit.REFUSED,
    pb.RUN_STATUS_LIMIT: Exit.LIMIT,
}


def run(
    program: str,
    /,
    *arguments: str,
    input_: Annotated[str | None, Parameter(name="--input", show_default=False, allow_leading_hyphen=True)] = None,
    grant: Annotated[Literal["manifest"] | None, Optional] = None,
    ask: Annotated[Literal["deny", "wait"] | None, Optional] = None,
    strict: Annotated[bool, Flag] = False,
    dev: Annotated[bool, Flag] = False,
    common: Common = DEFAULTS,
) -> int:
    """Run a program under its manifest, and follow it to its end.

    One screen shows what its manifest asks, before the first run of a version.
    Exit codes: 0 done, 1 the program failed, 2 usage or manifest, 3 an uncaught
    refusal, 4 a limit, 5 no kernel.

    Parameters
    ----------
    program
        A Python script, or a Wasm component that imports only agentos:guest/kernel.
    arguments
        The program's own arguments; put -- before the first that begins with a hyphen.
    input_
        What the program's main(input) gets: JSON, @FILE, or - for standard input.
    grant
        manifest: I have read it; grant what it asks, for this version.
    ask
        deny: every question is a no, as it is without a terminal. wait: questions wait in the inbox.
    strict
        Exit with 3 if any call was refused, even one that the program caught.
    dev
        Offer grants for this path, whatever its version, until this terminal closes.
    """
    try:
        if dev:
            common.here("--dev")
        request = _request(program, arguments, input_, dev)
        request.grant_manifest = grant == "manifest"
        with common.kernel(make_home=True, runs=True) as kernel:
            ended = _follow(kernel, request, ask, common.json)
    except Failure as failed:
        if not common.answer(values.no_run(failed)):
            raise
        return failed.exit_code
    common.answer(values.run(ended))
    code = EXITS.get(ended.status, Exit.FAILED)
    return Exit.REFUSED if strict and ended.refused and code in (Exit.DONE, Exit.FAILED) else code


def _request(program: str, arguments: Sequence[str], given: str | None, dev: bool) -> pb.RunRequest:
    return pb.RunRequest(
        source=source.read(program),
        arguments=arguments,
        input=source.given(given),
        terminal=_terminal() if dev else None,
        interactive=given != "-" and _typed(),
        **source.folders(),
    )


def follow(run: str = "last", /, *, common: Common = DEFAULTS) -> int:
    """Follow a run that is under way, from what it printed so far to its end. Ctrl-C leaves it alone.

    Of one that is over it shows what it printed and returned.

    Parameters
    ----------
    run
        Its id, or last.
    """
    with common.kernel() as kernel:
        ended = kernel.show(run).run
        over = ended.status not in (pb.RUN_STATUS_ACTIVE, pb.RUN_STATUS_WAITING)
        if not over:
            ended = Follower(kernel, open_terminal(), common.json).join(ended.id)
    if not common.answer(values.run(ended)):
        if over:
            say(f"{ended.id} is over; this is how it went. agentos show {ended.id} says more", "dim")
            sys.stdout.write(printable(ended.output) if sys.stdout.isatty() else ended.output)
        if ended.result:
            emit(json.dumps(json.loads(ended.result), indent=2, ensure_ascii=False))
        for line, *colour in closing(ended):
            say(line, *colour)
    return Exit.DONE if ended.status == pb.RUN_STATUS_DONE else Exit.FAILED


def _follow(kernel: Kernel, request: pb.RunRequest, ask: str | None, quiet: bool) -> pb.Run:
    terminal = None if ask else open_terminal()
    request.ask = pb.ASK_WAIT if ask == "wait" else pb.ASK_UNSPECIFIED if terminal else pb.ASK_DENY
    ended = Follower(kernel, terminal, quiet).follow(request)
    if not quiet:
        if ended.result:
            emit(json.dumps(json.loads(ended.result), indent=2, ensure_ascii=False))
        for line, *colour in closing(ended):
            say(line, *colour)
    return ended


def _typed() -> bool:
    """Whether somebody can answer the program's input(): a terminal, or lines that were piped in."""
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return False
    return os.isatty(0) or stat.S_ISFIFO(kind) or stat.S_ISREG(kind)


def _terminal() -> pb.Terminal:
    """The session leader of this terminal, and when it began."""
    leader = os.getsid(0)
    try:
        began = int(Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        raise Failure("--dev must know when this terminal was opened, and this machine does not say", "") from None
    return pb.Terminal(leader=leader, began_ticks=began)
