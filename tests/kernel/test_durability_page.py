"""docs/durability.md does what it says: its program goes on after a kill, and its commands are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from agentos.shell import main
from agentos.v1 import control_pb2 as pb
from tests.kernel.person import Person, Told, eventually, warm_home
from tests.kernel.place import Place
from tests.kernel.test_replay import kill

PAGE = (Path(__file__).parents[2] / "docs" / "durability.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
[PROGRAM, ENDLESS, TREE] = [text for kind, text in BLOCKS if kind == "python"]
[LISTING] = [text.strip() for kind, text in BLOCKS if kind == "sh"]
SETTLING = [line for kind, text in BLOCKS if kind == "text" for line in text.splitlines()]


def test_its_program_goes_on_after_a_kill_and_its_commands_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    place = Place(warm_home(tmp_path.resolve()), tmp_path.resolve() / "work")
    monkeypatch.setenv("AGENTOS_HOME", str(place.home))
    steps = place.folder / "steps.txt"
    with place.up() as person:
        told = Told()
        for event in person.start(person.source(PROGRAM), ask=pb.ASK_WAIT, grant_manifest=True):
            told.hear(event)
            if told.id:
                break
        # On a busy machine it may have slept already.
        slept = (pb.RUN_STATUS_WAITING, pb.RUN_STATUS_DONE)
        assert eventually(lambda: steps.exists() and person.record(told.id).status in slept)
        kill(person)
    with place.up() as person:
        assert eventually(lambda: person.record(told.id).status == pb.RUN_STATUS_DONE, 20)
        assert steps.read_text() == f"began\ndrew {person.record(told.id).result}\n"
        assert main.run(shlex.split(LISTING)[1:]) == 0
        for line in SETTLING:
            assert main.run(shlex.split(line)[1:]) != 0
            assert "no such call waits to be settled" in "".join(capsys.readouterr())


def test_its_program_that_goes_on_for_ever_begins_anew_and_is_cancelled(person: Person) -> None:
    source = person.source(ENDLESS)
    stream = person.start(source, input='{"every": 0}', ask=pb.ASK_WAIT, grant_manifest=True)
    run = next(event.accepted.run for event in stream if event.HasField("accepted"))
    seen = person.folder / "seen.txt"
    assert eventually(lambda: seen.exists() and seen.read_text().startswith("0\n1\n"))
    person.cancel(run)
    assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_CANCELLED)


def test_its_program_that_starts_others_adds_up_what_they_answer(person: Person) -> None:
    (person.folder / "notes").mkdir()
    (person.folder / "notes" / "a.txt").write_text("two words")
    (person.folder / "notes" / "b.txt").write_text("and three more")
    counts = "def main(input):\n    return len(open(input).read().split())\n"
    reads = '"files.read" = { path = ["notes/**"] }'
    assert person.run(counts, reads, name="count.py", input='"notes/a.txt"').result == 2
    assert person.run(TREE).result == 5
    assert (person.folder / "summary.txt").read_text() == "5 words\n"
