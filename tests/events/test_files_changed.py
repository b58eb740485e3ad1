"""Programs that are started by files: what changes within what they may read, once, whoever was down meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest

from agentos.v1 import control_pb2 as control
from agentos.v1 import error_pb2
from tests.events.conftest import APPEND, TELLS, Armer, killed
from tests.kernel.person import error_of, eventually

ON = '{ event = "files.changed", path = ["notes/**/*.md"], debounce = 0.2, concurrency = { parallel = 8 } }'
READ = f'{APPEND}\n"files.read" = {{ path = ["notes/**"] }}'


class Notes:
    """A folder of notes beside a person who arms programs."""

    def __init__(self, armer: Armer) -> None:
        self.armer = armer
        self.folder = armer.person.folder / "notes"
        self.folder.mkdir(exist_ok=True)

    def watched(self, on: str = ON, grants: str = READ, name: str = "armed.py") -> str:
        """Arm a program, and wait until what is there is noted; its trigger."""
        [trigger] = self.armer.arm(on, TELLS, grants, name)
        assert eventually(lambda: not self.armer.armed(name).triggers[0].trouble), self.armer.armed(name)
        return trigger

    def write(self, name: str, text: str = "x") -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def told(self, count: int) -> list[tuple[str, str]]:
        """What came, as kind and name in the folder, once it is so much."""
        said = [json.loads(line)["data"] for line in self.armer.saw(count, 60)]
        return sorted((each["kind"], str(Path(each["path"]).relative_to(self.folder))) for each in said)

    def quiet(self) -> None:
        """All that came until now is over: one that is written now is told of, and there is nothing else."""
        before = len(self.armer.seen())
        self.write("last.md", str(before))
        self.told(before + 1)
        assert eventually(lambda: not self.armer.armed().waiting and not self.armer.armed().runs)
        assert len(self.armer.seen()) == before + 1
        assert json.loads(self.armer.seen()[-1])["data"]["path"] == str(self.folder / "last.md")


@pytest.fixture
def notes(armer: Armer) -> Notes:
    return Notes(armer)


def test_a_file_that_is_added_changed_or_removed_starts_the_program(notes: Notes) -> None:
    notes.write("old.md")
    notes.watched()
    notes.write("a.md")
    assert notes.told(1) == [("added", "a.md")]
    notes.write("old.md", "other")
    assert notes.told(2) == [("added", "a.md"), ("changed", "old.md")]
    notes.write("new/deep/b.md")
    assert notes.told(3)[:2] == [("added", "a.md"), ("added", "new/deep/b.md")]
    (notes.folder / "old.md").unlink()
    assert ("removed", "old.md") in notes.told(4)
    [first, *_] = map(json.loads, notes.armer.seen())
    assert first["event"] == "files.changed"
    assert set(first["data"]) == {"path", "kind"}
    runs = notes.armer.person.control.ListRuns(control.ListRunsRequest(limit=10), metadata=notes.armer.person.metadata)
    mine = next(run.id for run in runs.runs if run.path == str(notes.armer.person.folder / "armed.py"))
    assert not notes.armer.person.calls(mine)[0].after_outside, "a file of the person's own is no stranger's word"
    notes.armer.disarm()


def test_what_is_moved_in_is_added_and_what_is_moved_out_is_removed(notes: Notes) -> None:
    outside = notes.folder.parent / "outside"
    outside.mkdir()
    (outside / "in.md").write_text("x")
    notes.write("sub/out.md")
    notes.watched()
    (notes.folder / "sub").rename(outside / "sub")
    assert notes.told(1) == [("removed", "sub/out.md")]
    outside.rename(notes.folder / "came")
    assert notes.told(3) == [("added", "came/in.md"), ("added", "came/sub/out.md"), ("removed", "sub/out.md")]
    notes.quiet()
    notes.armer.disarm()


def test_nothing_outside_is_told_of_whatever_leads_there(notes: Notes) -> None:
    """The attack: links in the folder, made before and after it is watched, to a folder that no grant covers."""
    secret = notes.folder.parent / "secret"
    (secret / "below").mkdir(parents=True)
    (secret / "known.md").write_text("x")
    (notes.folder / "before").symlink_to(secret)
    (notes.folder / "known.md").symlink_to(secret / "known.md")
    notes.watched()
    (notes.folder / "after").symlink_to(secret)
    (notes.folder / "up").symlink_to("..")
    (notes.folder / "file.md").symlink_to(secret / "known.md")
    notes.write("real/a.md")
    notes.told(1)
    (secret / "known.md").write_text("changed")
    (secret / "new.md").write_text("x")
    (secret / "below" / "deep.md").write_text("x")
    (secret / "known.md").unlink()
    (notes.folder.parent / "beside.md").write_text("x")
    (notes.folder / "not a note.txt").write_text("x")
    (notes.folder / "turned\u202eaway.md").write_text("x")
    (notes.folder / "real").rename(secret / "real")
    (notes.folder / "real").symlink_to(secret / "real")
    (secret / "real" / "b.md").write_text("x")
    assert notes.told(2) == [("added", "real/a.md"), ("removed", "real/a.md")]
    notes.quiet()
    notes.armer.disarm()


def test_the_home_itself_is_never_told_of(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, _):
        top = home.parent
        on = f'{{ event = "files.changed", path = ["{top}/**"], debounce = 0.1 }}'
        [_] = armer.arm(on, TELLS, f'{APPEND}\n"files.read" = {{ path = ["{top}/**"] }}')
        assert eventually(lambda: not armer.armed().triggers[0].trouble)
        (home / "seen-by-nobody").write_text("x")
        (top / "seen").write_text("x")
        told = [json.loads(line)["data"]["path"] for line in armer.saw(1)]
        (top / "seen-as-well").write_text("x")
        told += [json.loads(line)["data"]["path"] for line in armer.saw(2)[1:]]
        assert [Path(each).name for each in told if "/log" not in each] == ["seen", "seen-as-well"]
        armer.disarm()
        (home / "seen-by-nobody").unlink()


def test_what_happened_while_the_kernel_was_down_is_told_once(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, kill):
        notes = Notes(armer)
        for name in ("kept.md", "changed.md", "removed.md"):
            notes.write(name)
        notes.watched()
        notes.write("before.md")
        assert notes.told(1) == [("added", "before.md")]
        kill()
    notes.write("added.md")
    notes.write("changed.md", "other")
    (notes.folder / "removed.md").unlink()
    with killed(home, tmp_path) as (armer, kill):
        notes = Notes(armer)
        expected = [("added", "added.md"), ("added", "before.md"), ("changed", "changed.md"), ("removed", "removed.md")]
        assert notes.told(4) == expected
        notes.quiet()
        kill()
    with killed(home, tmp_path) as (armer, _):
        notes = Notes(armer)
        notes.quiet()
        armer.disarm()


def test_a_storm_is_told_of_whole_and_each_file_once(notes: Notes) -> None:
    batch = ON.replace("concurrency = { parallel = 8 }", "batch = { count = 500, seconds = 1 }")
    notes.watched(batch)
    for round_ in range(5):
        for number in range(300):
            notes.write(f"{number % 7}/{number}.md", str(round_))
    found: dict[str, list[str]] = {}

    def all_came() -> bool:
        found.clear()
        for line in notes.armer.seen():
            for each in json.loads(line):
                found.setdefault(each["data"]["path"], []).append(each["data"]["kind"])
        return len(found) == 300

    assert eventually(all_came, 60)
    assert {kinds[0] for kinds in found.values()} == {"added"}
    assert sum(map(len, found.values())) < 1000
    notes.armer.disarm()


def test_what_is_revoked_is_watched_no_more(notes: Notes) -> None:
    trigger = notes.watched()
    [grant] = [each.id for each in notes.armer.person.grants() if each.action == "files.read"]
    notes.armer.person.revoke(grant)
    assert "no grant covers" in notes.armer.armed().triggers[0].trouble
    notes.write("a.md")
    assert notes.armer.armed().triggers[0].id == trigger
    assert not notes.armer.armed().waiting
    notes.armer.arm(ON, TELLS, READ)
    assert eventually(lambda: not notes.armer.armed().triggers[0].trouble)
    notes.quiet()
    notes.armer.disarm()


def test_a_folder_that_is_made_later_is_watched_then_and_one_that_is_made_anew_again(notes: Notes) -> None:
    notes.folder.rmdir()
    notes.watched()
    notes.write("a.md")
    assert notes.told(1) == [("added", "a.md")]
    (notes.folder / "a.md").unlink()
    notes.folder.rmdir()
    assert ("removed", "a.md") in notes.told(2)
    notes.write("b.md")
    assert ("added", "b.md") in notes.told(3)
    notes.armer.disarm()


@pytest.mark.parametrize(
    ("on", "grants", "hint"),
    [
        ('"files.changed"', READ, "path"),
        ('{ event = "files.changed", path = [] }', READ, "path"),
        ('{ event = "files.changed", path = [1] }', READ, "path"),
        ('{ event = "files.changed", path = ["notes/**"] }', APPEND, "files.read"),
        ('{ event = "files.changed", path = ["**"] }', READ, "files.read"),
        ('{ event = "files.changed", path = ["secret/*"] }', READ, "files.read"),
        ('{ event = "files.changed", path = ["notes/../secret/*"] }', READ, "write the folder itself"),
        ('{ event = "files.changed", path = ["/proc/**"] }', '"files.read" = { path = ["/**"] }', "take it out"),
        ('{ event = "files.changed", path = ["notes/**"], seconds = 3 }', READ, "path"),
        ('{ event = "files.changed", path = ["notes/**"], debounce = nan }', READ, "debounce"),
        ('{ event = "files.changed", path = ["notes/**"], debounce = -1 }', READ, "debounce"),
    ],
)
def test_what_cannot_be_watched_is_an_error_when_it_is_armed(armer: Armer, on: str, grants: str, hint: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        armer.arm(on, TELLS, grants)
    error = error_of(refused.value)
    assert error.code == error_pb2.CODE_INVALID
    assert hint in f"{error.reason} {error.hint}"
