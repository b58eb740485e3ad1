"""The mutants of a module: cosmic-ray's operators, as far as they change what a module does, and two of our own.

Of its 213 operators most replace one arithmetic operator by each of the others; a few of each kind say as much. What
changes annotations alone is no mutant. A mutant is known by its module, its line as it was and as it becomes, and where
that is not enough by which of several equal ones it is: so a list of them survives what is written above a line.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Keyword

COMPARISONS = (
    "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "LtE_Gt", "Gt_LtE", "GtE_Lt", "Is_IsNot",
    "IsNot_Is",
)  # fmt: skip
BINARY = (
    "Add_Sub",
    "Sub_Add",
    "Mul_FloorDiv",
    "FloorDiv_Mul",
    "Mod_Mul",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
    "BitXor_BitAnd",
)
PLAIN = (
    "AddNot", "ReplaceUnaryOperator_Delete_Not", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr",
    "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer",
    "ZeroIterationForLoop", "ReplaceUnaryOperator_Delete_USub",
)  # fmt: skip
# The size of a memo changes no answer; that nothing is assigned to what is frozen, mypy sees.
NO_MUTANT = re.compile(r"^@lru_cache|^MOST_KNOWN\b|\bfrozen=True")
_Operator: Any = Operator  # its methods have no types, and are read as if they returned nothing
LABEL = re.compile(r"""(["'])[a-z_]{2,20}\1""")


class StepRemoved(_Operator):  # type: ignore[misc]
    """A statement that does something: a call, a raise, an assignment that adds. In its place: nothing."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        is_step = node.type in ("atom_expr", "raise_stmt")
        augments = node.type == "expr_stmt" and getattr(node.children[1], "type", "") == "augassign"
        if (is_step or augments) and node.parent is not None and node.parent.type == "simple_stmt":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class LabelReplaced(_Operator):  # type: ignore[misc]
    """What an error is known by: its code, or a word that programs branch on."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        argument = node.parent is not None and node.parent.type in ("arglist", "trailer", "argument")
        if (node.type == "string" and argument and LABEL.fullmatch(node.value)) or (
            node.type == "name" and node.value.startswith("CODE_")
        ):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        if node.type == "string":
            node.value = '"another"'
        else:
            node.value = "CODE_LIMIT" if node.value != "CODE_LIMIT" else "CODE_DENIED"
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def operators(labels_alone: bool) -> Iterator[Operator]:
    if labels_alone:
        yield LabelReplaced()
        return
    names = [f"ReplaceComparisonOperator_{name}" for name in COMPARISONS]
    names += [f"ReplaceBinaryOperator_{name}" for name in BINARY]
    for name in (*names, *PLAIN):
        yield get_operator(f"core/{name}")()
    yield from (StepRemoved(), LabelReplaced())


@dataclass(frozen=True)
class Mutant:
    """`was` and `becomes` are the lines that differ; `turn` counts those that are equal in all of that."""

    module: str
    line: int
    was: str
    becomes: str
    turn: int
    text: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.module, self.was, self.becomes, self.turn


def mutants(root: Path, module: str, labels_alone: bool = False) -> list[Mutant]:
    """All mutants of a module of this tree, in the order of their lines; or those of its errors' labels."""
    source = (root / module).read_text(encoding="utf-8")
    texts = {_same(source)}
    found: list[tuple[int, str, str, str]] = []
    for operator in operators(labels_alone):
        for occurrence in range(10_000):
            try:
                text = mutate_code(source, operator, occurrence)
            except AttributeError:  # cosmic-ray does not know `except module.Name`
                continue
            if text is None:
                break
            same = _same(text)
            if not same or same in texts:
                continue
            texts.add(same)
            line, was, becomes = _difference(source, text)
            if not NO_MUTANT.search(was) and (not labels_alone or "CODE_" in was):
                found.append((line, was, becomes, text))
    seen: Counter[tuple[str, str]] = Counter()
    made = []
    for line, was, becomes, text in sorted(found):
        seen[was, becomes] += 1
        made.append(Mutant(module, line, was, becomes, seen[was, becomes], text))
    return made


def _same(text: str) -> str:
    """What two texts have in common that do the same: no annotations, no layout. Empty if it is no Python."""
    try:
        parsed = ast.parse(text)
    except SyntaxError:
        return ""
    for node in ast.walk(parsed):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(parsed)


def _difference(source: str, text: str) -> tuple[int, str, str]:
    """The number of the first line that differs, and the lines as they were and are."""
    old, new = source.splitlines(), text.splitlines()
    changes = [step for step in difflib.SequenceMatcher(None, old, new, False).get_opcodes() if step[0] != "equal"]
    _, first, _, start, _ = changes[0]
    _, _, last, _, end = changes[-1]
    return first + 1, _one(old[first:last]), _one(new[start:end])


def _one(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
