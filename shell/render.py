"""Tables and pages for the person, drawn with rich: on a terminal to its width, into a pipe without folding."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentos.shell import sheet, values
from agentos.shell.again import again
from agentos.shell.paint import coloured, emit, say
from agentos.shell.text import plural, printable, quoted, span
from agentos.v1 import control_pb2 as pb

_PIPE_WIDTH = 1000
# Between two columns; and the narrowest that the widest one folds to.
GAP = 2
FOLDED = 16
_STATUS = {
    "done": "green", "failed": "red", "refused": "red", "limit": "red", "cancelled": "yellow", "active": "blue",
    "waiting": "blue",
}  # fmt: skip
_DECISION = {"allowed": "green", "refused": "red", "inherent": "dim"}
Cell = str | tuple[str, str]


def console() -> Console:
    """Standard output, without rich's own ideas of what to highlight or to read as markup."""
    on = coloured(sys.stdout)
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False, width=width, no_color=not on)


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], empty: str) -> None:
    """Rows under heads; a cell may be (text, style). All text is escaped here.

    One column folds where they do not fit. Where even that would break words, each row stands by itself, a cell a line.
    """
    cells = [[text(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip([text(head) for head in heads], *cells, strict=True)]
    flexible = max(widths)
    if not cells:
        show(Text(again(empty), "dim"))
    elif sum(widths) - flexible + min(flexible, FOLDED) + GAP * len(widths) > console().width:
        _one_by_one(heads, cells)
    else:
        drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        for head, width in zip(heads, widths, strict=True):
            drawn.add_column(head, overflow="fold", no_wrap=width < flexible)
        for row in cells:
            drawn.add_row(*row)
        show(drawn)


def _width(cell: Text) -> int:
    return max((line.cell_len for line in cell.split()), default=0)


def _one_by_one(heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Each row as a block of its own, its cells below each other; what is empty is left out."""
    for at, row in enumerate(rows):
        if at:
            show(Text())
        grid([((head, "dim"), cell) for head, cell in zip(heads, row, strict=True) if cell.plain])


def grid(rows: Iterable[Sequence[Cell | Text]]) -> None:
    """Rows without heads. A cell that is too wide folds: what is allowed is never cut short."""
    drawn = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        while len(drawn.columns) < len(row):
            drawn.add_column(overflow="fold")
        drawn.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    show(drawn)


def show(drawn: Table | Text) -> None:
    """Print it without the blanks that rich puts at the ends of lines."""
    out = console()
    with out.capture() as captured:
        out.print(drawn)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def text(cell: Cell) -> Text:
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text("\n".join(quoted(line, 400) for line in text.split("\n")), style)


def when(ms: int) -> str:
    """Today's times without the date."""
    if not ms:
        return ""
    now = datetime.now().astimezone()
    moment = datetime.fromtimestamp(ms / 1000, now.tzinfo)
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M")


def took(run: pb.Run) -> str:
    timings = run.timings_us
    return span(timings.ended - timings.queued) if timings.ended else ""


# ---- runs


def runs(found: Iterable[pb.Run]) -> None:
    rows: list[list[Cell]] = []
    for run in tree(found):
        status = values.status(run)
        waits = f"{status} for {run.waits_for}" if run.waits_for else status
        refused: Cell = (str(run.refused), "yellow") if run.refused else ""
        began = when(run.timings_us.queued // 1000)
        rows.append(
            [branch(run.id), run.program, (waits, _STATUS.get(status, "")), began, took(run), str(run.calls), refused]
        )
    table(["RUN", "PROGRAM", "STATUS", "BEGAN", "TOOK", "CALLS", "REFUSED"], rows, "no run yet: agentos run PROGRAM")


def standing_still(state: pb.StatusResponse) -> None:
    """Tell the person, beside any answer, that nothing new is begun, and what brings it back."""
    if why := values.error(state.standing_still):
        say(f"nothing can be recorded: {printable(why['message'])}", "red")
        say(
            "Runs and events that come now are refused, timers and armed programs stand still, and a run that has to"
            " record something fails. All of it goes on by itself, within seconds, when there is room.\n"
            f"next: {printable(why['hint'])}; agentos prune shows what old runs take (home {printable(state.home)})"
        )


def tree(found: Iterable[pb.Run]) -> list[pb.Run]:
    """Each run before its children, and those in the order in which they were started."""
    listed = list(found)
    places = {run.id.partition(".")[0]: at for at, run in reversed(list(enumerate(listed)))}
    return sorted(listed, key=lambda run: (places[run.id.partition(".")[0]], [int(n) for n in run.id[1:].split(".")]))


def branch(run: str) -> str:
    """The name of a run, set in below its parent's."""
    depth = run.count(".")
    return f"{'  ' * (depth - 1)}└ {run}" if depth else run


def unknown(found: Iterable[pb.Unknown], under_way: int) -> None:
    """What nobody can tell of. A run that comes back after a crash finds out only while it is under way."""
    rows: list[list[Cell]] = [
        [each.run, each.program, str(each.call.seq), quoted(each.call.summary), when(each.call.started_ms),
         again(f"agentos settle {each.run} {each.call.seq} --happened, or --did-not")]
        for each in found
    ]  # fmt: skip
    heads = ["RUN", "PROGRAM", "SEQ", "CALL", "SENT", "TO SAY WHAT BECAME OF IT"]
    going = plural(under_way, "run is", "runs are")
    none = f"no call waits to be settled; {going} still under way, and may have one"
    table(heads, rows, none if under_way else "of every call it is known what became of it")


def run(found: pb.ShowRunResponse) -> None:
    """One run: how it ended, where its time went, and every call."""
    shown, status, out = found.run, values.status(found.run), console()
    out.print(Text(f"{shown.id} {quoted(shown.program)} "), Text(status.upper(), f"bold {_STATUS.get(status, '')}"))
    out.print(Text(f"  program  {quoted(shown.path)}\n  version  {shown.digest}"))
    out.print(Text(f"  took     {_timings(shown.timings_us)}"))
    if shown.continued:
        _generation(shown, found.generation)
    if shown.error.reason:
        out.print(Text(f"  error    {quoted(shown.error.reason, 400)}"))
    if shown.error.hint:
        out.print(Text(f"  to do    {quoted(shown.error.hint, 400)}"))
    if shown.result:
        out.print(Text(f"  result   {quoted(shown.result, 400)}"))
    if shown.outside:
        out.print(Text(f"  outside  it has read from {', '.join(quoted(place) for place in shown.outside)}"))
    out.print()
    heads, rows = ["SEQ", "LINE", "CALL", "DECISION", "GRANT", "TOOK"], list(map(_call, found.calls))
    if shown.outside:
        heads.append("OUTSIDE")
        rows = [[*row, _outside(call)] for row, call in zip(rows, found.calls, strict=True)]
    table(heads, rows, "it made no call")
    if found.generation.ended_ms and shown.output:
        cut = ", and was cut at the limit" if shown.output_cut else ""
        emit(f"\nwhat it printed{cut}:\n" + shown.output.rstrip("\n"))


def _generation(run: pb.Run, shown: pb.Generation) -> None:
    """Which part of a run that began anew the rest is about, and how to see the others."""
    out, ended = console(), when(shown.ended_ms)
    other = again(f"agentos show {run.id} --generation {1 if shown.number > 1 else run.continued + 1}")
    told = f"to {ended}, when it began anew with a state" if ended else f"after it began anew; see also: {other}"
    out.print(Text(f"  part     generation {shown.number} of {run.continued + 1}, from {when(shown.began_ms)} {told}"))
    if shown.state:
        out.print(Text(f"  state    {quoted(shown.state, 400)}"))


def _call(call: pb.Call) -> list[Cell]:
    decision = values.decision(call)
    error = f"\n{call.error.reason}" if call.error.reason else ""
    return [
        str(call.seq),
        str(call.line or ""),
        f"{call.action} {sheet.aim(call.targets)}".rstrip() + error,
        (decision, _DECISION.get(decision, "")),
        call.grant,
        span(call.duration_us) if call.duration_us else "",
    ]


def _outside(call: pb.Call) -> str:
    """How a call stands to what came from outside: it brought something in, or was made after that."""
    return " ".join(["after"] * call.after_outside + ["read"] * call.from_outside)


def _timings(timings: pb.Timings) -> str:
    """'2.4 ms: 0.3 ms to a cell, 0.2 ms to its first line, 1.9 ms to run'."""
    if not timings.ended:
        return "not over yet"
    total = span(timings.ended - timings.queued)
    if not timings.cell:
        return f"{total}; it never began"
    if not timings.first_line:
        # A cell that was killed cannot say when its program began.
        return f"{total}: {span(timings.cell - timings.queued)} to a cell, which was ended"
    parts = (timings.cell - timings.queued, timings.first_line - timings.cell, timings.ended - timings.first_line)
    return f"{total}: {span(parts[0])} to a cell, {span(parts[1])} to its first line, {span(parts[2])} to run"


def why(call: pb.Call, outside: Sequence[str]) -> None:
    """Why one call was decided as it was, as the kernel recorded it."""
    out, decision = console(), values.decision(call)
    head = f"{quoted(call.action)} {sheet.aim(call.targets)}".rstrip()
    verdict = Text(f"{decision.upper()} {when(call.started_ms)}", f"bold {_DECISION.get(decision, '')}")
    out.print(Text(head.ljust(44) + " "), verdict, end="\n", sep="")
    rows: list[Sequence[Cell | Text]] = [((reason.label, "dim"), reason.text) for reason in call.reasons]
    if decision == "allowed" and call.error.reason:
        rows.append((("came to", "dim"), call.error.reason))
        rows += [(("to do", "dim"), call.error.hint)] if call.error.hint else []
    if call.after_outside:
        rows.append((("outside", "dim"), "asked after the run had read from " + ", ".join(outside)))
    grid(rows)
