"""`run --dev`: what somebody edits at a terminal keeps its grants by its path, and not once a run wrote there."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import NO, Person, Told, all_lines

TERMINAL = pb.Terminal(leader=1, began_ticks=7)
UNTIL_IT_CLOSES = all_lines(pb.CHOICE_TERMINAL)
NOTES = '"files.read" = { path = ["notes.txt"] }'
READS = "from pathlib import Path\nresult = Path('notes.txt').read_text()"
OTHER = READS + "  # and another thing"
WRITES = (
    '"files.write" = { path = ["**"] }\n"files.move" = { path = ["**"], to = ["**"] }\n'
    '"files.trash" = { path = ["**"] }'
)

REPLACES = {
    "written": "files.write('work/edited.py', text='x')",
    "added to": "files.append('work/edited.py', text='x')",
    "moved over": "files.write('x', text='x')\nfiles.move('x', 'work/edited.py', replace=True)",
    "moved away, and another folder there": "files.mkdir('more')\nfiles.move('more', 'work', replace=True)",
    "trashed with its folder": "files.trash('work')",
    "by its other name": "files.write('real/edited.py', text='x')",
}


@pytest.fixture
def folder(person: Person) -> Path:
    (person.folder / "notes.txt").write_text("a note")
    (person.folder / "work").mkdir()
    (person.folder / "work" / "edited.py").write_text(READS)
    return person.folder


def dev(person: Person, content: str, name: str = "work/edited.py") -> Told:
    """`agentos run --dev` at the same terminal, by somebody who answers no more than is asked."""
    source = person.source(content, NOTES, name)
    return person.follow(person.start(source, terminal=TERMINAL), UNTIL_IT_CLOSES)


@pytest.mark.parametrize("how", REPLACES)
def test_a_program_that_a_run_wrote_has_not_the_grants_of_the_one_that_was_edited(
    person: Person, folder: Path, how: str
) -> None:
    name = "work/edited.py"
    if how == "by its other name":
        (folder / "real").mkdir()
        (folder / "real" / "edited.py").write_text(READS)
        (folder / "link").symlink_to("real")
        name = "link/edited.py"
    assert dev(person, READS, name).result == "a note"
    assert dev(person, OTHER, name).prompts == [], "as it was edited, it has them still"
    attack = person.run(f"from agentos.sdk import files\n{REPLACES[how]}", WRITES, name="attack.py")
    assert attack.status == "done", attack.ended
    after = person.follow(person.start(person.source(OTHER + "!", NOTES, name), terminal=TERMINAL), NO)
    assert len(after.prompts) == 1, "it is asked about again"
    assert after.status == "refused"
    assert [grant.state for grant in person.grants(all=True) if grant.path.endswith("edited.py")] == [
        pb.GRANT_STATE_REVOKED
    ]


def test_what_runs_write_elsewhere_or_only_read_takes_nothing_from_it(person: Person, folder: Path) -> None:
    assert dev(person, READS).result == "a note"
    beside = (
        "from agentos.sdk import files\nfiles.write('work/edited.pyc', text='x')\nfiles.write('work/other/x', text='x')"
        "\nfiles.read('work/edited.py')"
    ).replace("\nfiles.write('work/other/x'", "\nfiles.mkdir('work/other')\nfiles.write('work/other/x'")
    told = person.run(beside, WRITES + '\n"files.read" = { path = ["work/*"] }', name="beside.py")
    assert told.status == "done", told.ended
    assert dev(person, OTHER).prompts == []


def test_a_write_that_was_refused_takes_nothing_from_it(person: Person, folder: Path) -> None:
    assert dev(person, READS).result == "a note"
    told = person.run("from agentos.sdk import files\nfiles.write('work/edited.py', text='x')", NOTES, name="attack.py")
    assert told.status == "refused"
    assert dev(person, OTHER).prompts == []
