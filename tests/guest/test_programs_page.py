"""docs/programs.md does what it says: its programs run in a guest, under their own lines, and its test passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentos.sdk.testing import Kit
from tests.guest.conftest import FOLDER, Stage

PAGE = (Path(__file__).parents[2] / "docs" / "programs.md").read_text(encoding="utf-8")
*PROGRAMS, TRIED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ZIP = bytes(3_000_000)
WEB = {
    "https://api.example.com/v1/owls": [{"name": "Ada", "age": 36}],
    "https://api.example.com/v1/owls/1": "one",
    "https://api.example.com/v1/owls/2": "two",
    "https://api.example.com/photos.zip": ZIP,
}
SAYS = {
    0: ("", {"owls.csv": b"Ada,36\n"}),
    1: ("no owl: 404 Not Found for GET https://api.example.com/v1/owls/17\n", {}),
    2: ("", {"photos.zip": ZIP}),
    3: ("".join(f"https://api.example.com/v1/owls/{n} {s}\n" for n, s in ((1, 200), (2, 200), (3, 404))), {}),
}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
async def test_its_programs_do_what_it_says(stage: Stage, tmp_path: Path, number: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAMS[number], encoding="utf-8")
    kit = Kit.under_manifest(program, web=WEB, start=FOLDER)
    played = await stage.play(PROGRAMS[number], kit)
    assert played.status == "done", played.answer
    output, files = SAYS[number]
    assert played.printed() == output
    assert kit.files == {f"{FOLDER}/{name}": content for name, content in files.items()}


def test_its_test_of_a_program_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("owls.py").write_text(PROGRAMS[0], encoding="utf-8")
    assert "\nassert " in TRIED
    exec(TRIED, {})  # noqa: S102  (it is the page's own)


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).exists(), link
