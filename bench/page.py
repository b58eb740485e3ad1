"""docs/performance.md, written from one run of the whole bench. By hand are only this template and its remarks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import bench
from bench.figures import Figure, Part
from bench.table import MISSING, goal, remark, shown

PAGE = Path(bench.__file__).parent.parent / "docs" / "performance.md"
TITLES = {
    "start": "How soon a program begins",
    "call": "What a call costs",
    "many": "Many runs",
    "memory": "What it weighs",
    "cpu": "How fast a program computes",
    "others": "Beside other sandboxes",
    "durable": "What it costs that nothing is lost",
}
HEAD = """# How fast it is

Written by `python -m bench --write` from one run on one machine; do not edit it, run it again. The times hold for that
machine in that hour. The **ratios** are what is claimed: each is against a peer that took turns with ours in the same
run. `make bench` prints the same for yours.
"""
QUICK = "**From the short form (`--quick`): it only indicates.**\n"

ONE_COMMIT = (
    "What is known: it waits for one commit, before the effect, which bears the answer of the one before it too. Of "
    "that wait the commit takes 230 µs, waking the journal's writer 40 and going back to the loop 50 (medians of 1,200 "
    "calls, traced). Then the rest of the call meets caches that the commit has cooled."
)
RUNS = (
    "What is known: a run costs 11 ms of processor time over both cores, where it was 15: the cell 5 (with 740 "
    "pages that are copied or found, where it was 1,080), the kernel 3.6, its zygote 1, the asker 1.2, the server 0.5. "
    "What helped: walls made ahead, and texts that cross without asking for their types "
    "(200 pages, 2 ms); a rehearsal as large as most programs, to the end, that counts no page which its zygote wrote "
    "to (1 ms, and a third of a ready cell's memory); all pages asked for in one system call (1 ms); short turns for "
    "the kernel, which waited 0.9 ms of a run for cells and zygote that were at work (3 to 17 % more runs, most where "
    "others are at work too). Both cores are at work for four fifths of the time; the rest is mostly the wait for the "
    "disk. What did not help: a fork without CPython's hooks, the Python of a cell warmed up before, no holes in its "
    "heap (25 pages at most), the next cell forked when a run is over and not when its cell is gone. Of a cell's 5 ms "
    "3.3 are Linux's own: the fork's copies, the faults, and the taking down of 10,000 pages at its end."
)
# What is known of a goal, told where it was missed.
REMARKS = {
    **{f"{effect}, 1 kB": ONE_COMMIT for effect in ("echo.note", "files.append", "files.write")},
    **{
        f"{many}: runs per second": RUNS
        for many in (
            "60 at once",
            "200 at once",
            "300 in a row",
            "60 of one line in a row",
            "5000 in a row",
            "1000 of one line in a row",
        )
    },
    "accepted → first line, p50": (
        "What is known: a cell that holds the program is told what is for this run when the run is accepted, and "
        "reads that while the kernel does the rest, which takes two tenths of a millisecond. A tenth or two pass "
        "until the cell is awake; what the guest then does takes a tenth where it is warm, and some tenths where "
        "caches and predictors have forgotten it. Where no cell holds the program, it is loaded then. Tried, in this "
        "order: code and source as they are instead of base64 in JSON, and the state of a new run made ahead (2.0 "
        "to 0.8 million instructions until the first line); immortal objects, and a guest that has run such a "
        "program while it was built (332 pages written to 71); pages made ready in each cell (some 400 faults to "
        "20); the call of the guest without asking for its type (0.12 ms); loading ahead, and manifests and views "
        "that are kept (0.3 ms, and 0.9 ms of what the asker waits); what a program is told as Python marshals "
        "it, not as JSON (0.1 ms); cells that never interrupt whoever wakes them (one run in five waited a "
        "millisecond for the word to begin); cells that hold the programs that ran most (half of the time). "
        "Asking for huge pages, keeping the other core busy, waking a cell as soon as a request arrives, and "
        "reading its memory ahead changed nothing."
    ),
    "clock.now": (
        "What is known: the peer takes 7 µs between two processes that do nothing else. Ours takes some 210 µs by the "
        "kernel's clock where nobody else wants its cores (6,000 calls, traced): 115 to 130 in the kernel, which "
        "decodes, decides, records twice with a hash and answers, and 75 to 90 for the guest and two wakes. They "
        "alone are some 10 ×, so the goal is out of reach. A cell that polls its line before it sleeps was "
        "tried: 30 µs less on free cores, and on busy ones the slowest calls took twice as long."
    ),
}

# What the bare bones did before there was a kernel: one warm cell behind its walls, a program of one line, nothing
# asked, nothing recorded. On the same kind of machine, quiet. (What, then, and the figure of now by part and its end.)
PROTOTYPE = (
    ("a program sent to a ready cell → its result", "1.9 ms, 0.09 to 0.13 ×", "start", "accepted → ended, p50"),
    ("the same, until it begins", "not measured", "start", "accepted → first line, p50"),
    ("fork, run, exit, one after the other", "102 /s", "many", "of one line in a row: runs per second"),
    ("guest → host function, and a socketpair round trip", "58 µs + 25 µs", "call", "clock.now"),
    ("grpc.aio unary call alone", "760 to 1,300 µs", "call", "files.stat"),
    ("a ready cell, PSS", "4.3 MB", "memory", "each ready cell"),
)


def write(parts: Sequence[Part], machine: dict[str, str], quick: bool) -> Path:
    PAGE.write_text(page(parts, machine, quick), encoding="utf-8")
    return PAGE


def page(parts: Sequence[Part], machine: dict[str, str], quick: bool) -> str:
    warnings = [*([QUICK] if quick else []), *_busy(parts[0].load)]
    blocks = [HEAD, *warnings, _goals(parts), *map(_section, parts), _prototype(parts)]
    blocks += [f"## Method\n\n{_method()}\n", _machine(machine)]
    return "\n".join(blocks)


def _busy(load: float) -> list[str]:
    cores = os.cpu_count() or 1
    if load < cores / 2:
        return []
    about = f"others kept {load:.1f} tasks busy on its {cores} cores when this began"
    return [f"**The machine was not quiet**: {about}. Times are too long, p99 most of all; ratios are less sure.\n"]


def _goals(parts: Sequence[Part]) -> str:
    with_goal = [(part, figure) for part in parts for figure in part.figures if figure.goal]
    missed = [f"* **{part.name}, {figure.name}**: {_miss(figure)}" for part, figure in with_goal if not figure.met]
    if not missed:
        return f"## Goals\n\nAll {len(with_goal)} goals were met in this run.\n"
    met = f"{len(with_goal) - len(missed)} of {len(with_goal)} goals were met in this run."
    return "\n".join(["## Goals\n", f"{met} Missed:\n", *missed, ""])


def _miss(figure: Figure) -> str:
    _, ours, theirs, ratio, _ = shown(figure)
    found = f"{ratio}, {ours} against {theirs}" if ratio else ours
    wanted = goal(figure).removesuffix(", missed").removesuffix(f", {MISSING}")
    return f"{found}; the goal is {wanted}. {REMARKS.get(figure.name, remark(figure))}".rstrip()


def _section(part: Part) -> str:
    about = f"{part.about[0].upper()}{part.about[1:]}. Load of the machine before this part: {part.load:.2f}."
    rows = [(*shown(figure), f"{figure.samples:,}") for figure in part.figures]
    notes = dict.fromkeys(f"* {figure.name}: {remark(figure)}" for figure in part.figures if remark(figure))
    table = _table(("", "ours", "peer", "ratio", "goal", "samples"), rows)
    return "\n".join([f"## {TITLES[part.name]}\n", about, "", table, *notes, *([""] if notes else [])])


def _prototype(parts: Sequence[Part]) -> str:
    about = (
        "Before there was a kernel, its bare bones were timed on the same kind of machine, quiet: a warm cell behind "
        "its walls, a program of one line, nothing asked and nothing recorded. Beside that, what the whole costs now, "
        "with a program of 120 lines that does something, and with records on disk:\n"
    )
    rows = [
        (what, then, f"{figure.name}: {shown(figure)[1]}" + (f", {shown(figure)[3]}" if figure.ratio else ""))
        for what, then, part, end in PROTOTYPE
        for figure in _found(parts, part, end)
    ]
    return "\n".join(["## Against the bare prototype\n", about, _table(("", "prototype", "now"), rows)])


def _found(parts: Sequence[Part], name: str, end: str) -> Iterator[Figure]:
    """The first figure of that part whose name ends so, if it was measured."""
    figures = (figure for part in parts if part.name == name for figure in part.figures)
    found = next((figure for figure in figures if figure.name.endswith(end)), None)
    yield from [found] if found else []


def _method() -> str:
    """The essay of the package, without its heading."""
    return (bench.__doc__ or "").split("------\n", 1)[1].strip()


def _machine(machine: dict[str, str]) -> str:
    return "## Machine\n\n" + _table(("", ""), list(machine.items()))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
