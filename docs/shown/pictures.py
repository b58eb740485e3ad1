"""The pictures of the README, made from real runs: `python docs/shown/pictures.py [--check]`.

`--check` writes nothing, and fails if a picture is not what one sees now.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path

from played import Keys, Person, person, same
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURES = Path(__file__).parent.parent / "pictures"
AGENTOS = Path(sys.executable).parent / "agentos"
COLUMNS = 92

LINKS = """\
    # /// script
    # [tool.agentos.grants]
    # "files.read"  = { path = ["notes/**/*.md"] }
    # "files.write" = { path = ["links.md"] }
    # ///
    import re
    from pathlib import Path

    links = [link for page in sorted(Path("notes").rglob("*.md"))
             for link in re.findall(r"https?://[^\\s)]+", page.read_text())]
    Path("links.md").write_text("\\n".join(f"* {link}" for link in links) + "\\n")
    print(len(links), "links")
    try:
        keys = (Path.home() / ".ssh" / "config").read_text()  # nobody asked it to
    except PermissionError as refused:
        print("no:", str(refused).partition(";")[0])
"""
NOTES = {
    "notes/reading.md": "* https://example.org/capabilities\n* https://example.org/wasm\n",
    "notes/work/plan.md": "see https://example.com/plan and (https://example.com/budget)\n",
}
SCENES: dict[str, tuple[tuple[str, Keys], ...]] = {
    "run": (("agentos run links.py", (("[?]", "a\n"),)), ("agentos why last 6", ())),
    "grants": (("agentos grants", ()), ("agentos show last", ())),
}


def main() -> int:
    with person(AGENTOS, COLUMNS) as somebody:
        somebody.write("links.py", textwrap.dedent(LINKS))
        for name, text in NOTES.items():
            somebody.write(name, text)
        drawn = {PICTURES / f"{name}.svg": picture(name, played(somebody, name)) for name in SCENES}
    if sys.argv[1:] == ["--check"]:
        stale = [file.name for file, svg in drawn.items() if not same(said(file.read_text()), said(svg))]
        print("\n".join(f"not what one sees: {name}" for name in stale) or "the pictures are what one sees")
        return bool(stale)
    for file, svg in drawn.items():
        file.write_text(svg)
        print(file)
    return 0


def played(somebody: Person, scene: str) -> str:
    """All that was on the screen, with the commands as they were typed."""
    return "\n\n".join(f"\x1b[1m$ {command}\x1b[0m\n{somebody.types(command, keys)}" for command, keys in SCENES[scene])


def picture(name: str, seen: str) -> str:
    """The screen as SVG, in the fonts of whoever looks at it."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(seen), soft_wrap=True)
    svg = console.export_svg(title="Agent OS", theme=MONOKAI, unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}|<!-- .*? -->", "", svg, flags=re.DOTALL).replace("Fira Code", "ui-monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def said(svg: str) -> str:
    """What a picture says."""
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("&#160;", " ")


if __name__ == "__main__":
    sys.exit(main())
