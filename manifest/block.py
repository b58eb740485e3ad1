"""A manifest written as the PEP 723 block to paste into a script."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentos.manifest import limits as limit_rules
from agentos.manifest.actions import ActionRule
from agentos.manifest.bounds import defaults, kinds_of
from agentos.manifest.lines import Limits, ManifestLine
from agentos.manifest.reading import stem
from agentos.manifest.rules import Catalog
from agentos.v1 import matchers


def block(name: str, lines: Sequence[ManifestLine], limits: Limits, start: str, home: str, catalog: Catalog) -> str:
    """A PEP 723 block that `read` takes back to the same lines, its paths as short as they can be."""
    written = ["[tool.agentos]", f"name = {_quoted(stem(name + '.py'))}"]
    written += [text for text in (limit_rules.block(limits),) if text]
    by_action: dict[str, list[str]] = {}
    for line in lines:
        table = _entry(line, catalog.actions[line.action], start, home)
        by_action.setdefault(line.action, []).append(table)
    if by_action:
        written += ["", "[tool.agentos.grants]"]
    for action, tables in by_action.items():
        value = tables[0] if len(tables) == 1 else "[\n" + "".join(f"    {table},\n" for table in tables) + "]"
        written.append(f"{_quoted(action)} = {value}")
    body = "\n".join(written).split("\n")
    return "\n".join(["# /// script", *(f"# {line}".rstrip() for line in body), "# ///", ""])


def _entry(line: ManifestLine, rule: ActionRule, start: str, home: str) -> str:
    parts, kinds, usual = [], kinds_of(rule), defaults(rule)
    for bound, values in line.bounds:
        if values == usual.get(bound):
            continue
        paths = kinds[bound] == matchers.PATH
        texts = [_quoted(_short(value, start, home) if paths else value) for value in values]
        flat = f"[{', '.join(texts)}]"
        listed = flat if len(flat) < 90 else "[\n" + "".join(f"    {text},\n" for text in texts) + "]"
        parts.append(f"{bound} = {values[0] if kinds[bound] in matchers.COUNTED else listed}")
    parts += ['ask = "always"'] if line.ask_always else []
    return f"{{ {', '.join(parts)} }}" if parts else "{}"


def _short(pattern: str, start: str, home: str) -> str:
    """The pattern as it would be written by hand: from the start folder, else from home, else whole."""
    for base, alone, prefix in ((start, ".", ""), (home, "~", "~/")):
        folder = matchers.literal(matchers.PATH, base)
        if folder != "/" and pattern == folder:
            return alone
        if folder != "/" and pattern.startswith(folder + "/"):
            rest = pattern[len(folder) + 1 :]
            return f"./{rest}" if not prefix and rest.startswith("~") else prefix + rest
    return pattern


def _quoted(text: str) -> str:
    """A TOML string; none of ours has a character that JSON and TOML write differently."""
    return json.dumps(text, ensure_ascii=False)
