"""The trusted part stays small enough to be read, and every file short enough to be one thing."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

from tests.repository.source import code_lines, imports, lines, modules, statements, tree, within

KERNEL = "agentos.kernel"
# Where a call enters: all that this module imports decides, or could.
PATH_OF_A_CALL = "agentos.kernel.path"
# 1,200 for the decision; what is recalled from the record, and taken up again, came to it with runs that last.
PATH_STATEMENTS = 1_255
# Lines of code: what explains them costs a reader nothing, and is not to be saved on.
KERNEL_LINES = 2_350
# The life of a run decides nothing, and is in the same process all the same. 1,300 for one run; that it begins
# anew, starts others, and shares what it may use with them, came to it.
RUNS_LINES = 1_750
LONG, FEW, TOO_LONG = 400, 3, 500


def reached(entry: str) -> dict[str, Path]:
    """A module of ours and all of ours that it imports, generated code aside."""
    ours, waiting, found = modules(), [entry], dict[str, Path]()
    while waiting:
        name = waiting.pop()
        if name in ours and name not in found:
            found[name] = ours[name]
            # `from a.b import c` may name the module a.b.c, or something in a.b.
            waiting += [one for path in imports(ours[name]) for one in (path, path.rpartition(".")[0])]
    return found


def test_the_path_of_a_call_can_be_read_in_an_hour() -> None:
    path = {name: statements(file) for name, file in reached(PATH_OF_A_CALL).items()}
    assert PATH_OF_A_CALL in path
    assert sum(path.values()) <= PATH_STATEMENTS, dict(sorted(path.items(), key=lambda each: -each[1]))


@pytest.mark.parametrize(("room", "most"), [(KERNEL, KERNEL_LINES), ("agentos.runs", RUNS_LINES)])
def test_the_kernel_without_its_cells_stays_small(room: str, most: int) -> None:
    sizes = {
        name: code_lines(path)
        for name, path in modules().items()
        if within(name, room) and not within(name, f"{KERNEL}.cells")
    }
    assert sum(sizes.values()) <= most, dict(sorted(sizes.items(), key=lambda each: -each[1]))


def test_files_are_short_and_few_are_long() -> None:
    sizes = {name: lines(path) for name, path in modules().items()}
    long = {name: size for name, size in sizes.items() if size > LONG}
    assert len(long) <= FEW, long
    assert max(sizes.values()) <= TOO_LONG, long
    assert median(sizes.values()) <= 250


def test_no_room_is_more_than_three_levels_deep() -> None:
    deep = [name for name in modules() if name.removeprefix("agentos.").count(".") > 3]
    assert deep == []


def test_every_module_says_what_it_is() -> None:
    silent = [name for name, path in modules().items() if tree(path).body and not ast.get_docstring(tree(path))]
    assert silent == []
