# /// script
# [tool.agentos]
# name = "report"
# [tool.agentos.grants]
# "files.read"  = { path = ["README.md", "docs/**/*.md"] }
# "files.write" = { path = ["build/report.md"] }
# ///
"""Reads the Markdown of a folder and writes a report on it: size, headings, and links that lead nowhere."""

import re
from pathlib import Path

HEADING = re.compile(r"^#+ +(.+)", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)#\s]+)")


def broken_links(page: Path, text: str, pages: set[Path]) -> list[str]:
    """The pages that this page links to and that are not there."""
    links = [Path(*_folded(page.parent / target)) for target in LINK.findall(text) if target.endswith(".md")]
    return [f"* {page} links to {link}, which is not there" for link in links if link not in pages]


def _folded(path: Path) -> list[str]:
    """The parts of a path without its `..`."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return parts


pages = {path for path in [Path("README.md"), *Path("docs").rglob("*.md")] if path.exists()}
rows, broken, words = [], [], 0
for page in sorted(pages):
    text = page.read_text()
    count = len(text.split())
    words += count
    rows.append(f"| {page} | {count} | {len(HEADING.findall(text))} |")
    broken += broken_links(page, text, pages)

Path("build").mkdir(exist_ok=True)
head = ["# The documentation", "", "| page | words | headings |", "|---|--:|--:|"]
links = broken or ["Every link between these pages leads somewhere."]
Path("build/report.md").write_text("\n".join([*head, *rows, "", *links]) + "\n")
print(f"read {len(pages)} pages, wrote build/report.md")
result = {"pages": len(pages), "words": words, "broken": len(broken)}
