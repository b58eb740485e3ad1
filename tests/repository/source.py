"""The source as these tests see it: modules by their import name, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "kernel": "agentos.kernel",
    "runs": "agentos.runs",
    "home": "agentos.home",
    "audit": "agentos.audit",
    "events": "agentos.events",
    "locked": "agentos.locked",
    "manifest": "agentos.manifest",
    "capabilities": "agentos.capabilities",
    "guests": "agentos.guests",
    "sdk": "agentos.sdk",
    "shell": "agentos.shell",
    "proto/agentos/v1": "agentos.v1",
}


@cache
def modules(generated: bool = False) -> dict[str, Path]:
    """Every module that ships, by import name; what the protos generate only if asked for."""
    found = {}
    for folder, package in ROOMS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if generated or not path.stem.endswith(("_pb2", "_pb2_grpc")):
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Everything a file imports, anywhere in it: a.b for `import a.b`, a.b.c for `from a.b import c`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def statements(path: Path) -> int:
    """How many statements a file has, docstrings aside."""
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.stmt)]
    return len(nodes) - sum(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in nodes)


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(path: Path) -> int:
    """The lines of a file but for blank ones, comments and docstrings."""
    said: set[int] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            said.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    text = path.read_text(encoding="utf-8").splitlines()
    return sum(1 for number, line in enumerate(text, 1) if line.strip()[:1] not in ("", "#") and number not in said)
