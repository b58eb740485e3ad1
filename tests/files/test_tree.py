"""What is seen beneath patterns: what a listing would show, within limits, and what has become of it since."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentos.capabilities.failure import Denied, Limit
from agentos.capabilities.files import tree
from agentos.capabilities.files.places import Places
from agentos.capabilities.files.tree import Tree, same, version
from agentos.capabilities.files.watch import Watched
from agentos.v1 import capability_pb2 as pb


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    return tmp_path.resolve()


def looked(top: Path, *patterns: str, places: Places | None = None) -> Tree:
    made = Tree(places or Places(()), tuple(f"{top}/{each}" for each in patterns or ("notes/**",)))
    made.look()
    return made


def names(found: Tree, top: Path) -> list[str]:
    return sorted(str(Path(each).relative_to(top)) for each in found.files)


def write(file: Path, text: str = "x") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_files_that_a_pattern_matches_are_seen_and_no_others(top: Path) -> None:
    for name in ("notes/a.md", "notes/b.txt", "notes/deep/er/c.md", "beside.md", "notes-evil/d.md"):
        write(top / name)
    os.mkfifo(top / "notes" / "pipe.md")
    (top / "notes" / "folder.md").mkdir()
    assert names(looked(top, "notes/**/*.md"), top) == ["notes/a.md", "notes/deep/er/c.md"]
    assert names(looked(top, "notes/*.txt", "notes/deep/er/*"), top) == ["notes/b.txt", "notes/deep/er/c.md"]


def test_links_are_no_way_out_and_forbidden_places_are_not_seen(top: Path) -> None:
    for name in ("secret/a.md", "notes/home/b.md", "notes/c.md"):
        write(top / name)
    (top / "notes" / "out").symlink_to(top / "secret")
    (top / "notes" / "a.md").symlink_to(top / "secret" / "a.md")
    seen = looked(top, places=Places((f"{top}/notes/home",)))
    assert names(seen, top) == ["notes/c.md"]
    assert seen.heard() == {f"{top}/notes"}


def test_a_root_that_becomes_a_link_is_gone(top: Path) -> None:
    write(top / "notes" / "a.md")
    seen = looked(top)
    (top / "notes").rename(top / "moved")
    (top / "notes").symlink_to(top / "moved")
    assert seen.look() == {f"{top}/notes/a.md"}
    assert not seen.files


def test_a_folder_that_cannot_be_read_now_is_as_it_was(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(top / "notes" / "deep" / "a.md")
    seen = looked(top)

    def broken(fd: int) -> None:
        raise OSError(5, "the disk")

    monkeypatch.setattr(os, "scandir", broken)
    assert seen.look() == set()
    assert names(seen, top) == ["notes/deep/a.md"]


def test_a_root_that_cannot_be_read_at_all_is_said(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(fd: int) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(Denied):
        looked(top)


def test_it_says_which_files_changed_and_looks_into_new_folders(top: Path) -> None:
    write(top / "notes" / "a.md")
    seen = looked(top)
    write(top / "notes" / "new" / "er" / "b.md")
    (top / "notes" / "a.md").unlink()
    assert seen.look(f"{top}/notes") == {f"{top}/notes/a.md", f"{top}/notes/new/er/b.md"}
    (top / "notes" / "new").rename(top / "elsewhere")
    assert seen.look(f"{top}/notes") == {f"{top}/notes/new/er/b.md"}
    assert seen.heard() == {f"{top}/notes"}


def test_a_root_that_is_not_there_is_waited_for_above(top: Path) -> None:
    seen = looked(top, "later/on/**")
    assert seen.heard() == {str(top)}
    write(top / "later" / "on" / "a.md")
    assert seen.look() == {f"{top}/later/on/a.md"}


@pytest.mark.parametrize(("limit", "name"), [("FILES", "notes/{}.md"), ("FOLDERS", "notes/{}/a.md")])
def test_there_is_a_limit(top: Path, monkeypatch: pytest.MonkeyPatch, limit: str, name: str) -> None:
    monkeypatch.setattr(tree, limit, 5)
    for number in range(4):
        write(top / name.format(number))
    looked(top)
    for number in range(4, 8):
        write(top / name.format(number))
    with pytest.raises(Limit, match="more than"):
        looked(top)


def test_there_is_a_depth(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "DEPTH", str(top).count("/") + 3)
    write(top / "notes" / "1" / "2" / "3" / "4" / "deep.md")
    write(top / "notes" / "1" / "shallow.md")
    assert names(looked(top), top) == ["notes/1/shallow.md"]


def test_a_file_is_the_same_until_it_is_written(top: Path) -> None:
    file = top / "notes" / "a.md"
    write(file)
    before = version(file.stat())
    file.chmod(0o600)
    assert same(before, version(file.stat()))
    assert before != version(file.stat())
    file.write_text("other")
    assert not same(before, version(file.stat()))


def wanted(top: Path, **more: object) -> pb.Wanted:
    bound = pb.Bound(name="path", values=[f"{top}/notes/**"])
    return pb.Wanted(trigger="t1", event="changed", bounds=[bound], **more)  # type: ignore[arg-type]


def test_the_same_happening_has_one_name_and_the_next_another(top: Path) -> None:
    file, away = top / "notes" / "a.md", top / "away.md"
    watched = Watched(wanted(top), Places(()))
    watched.begin()
    list(watched.noted())
    told: list[tuple[str, str]] = []
    for _ in range(3):
        if away.exists():
            away.rename(file)
        else:
            write(file)
        watched.look()
        [added] = watched.due()
        again = Watched(wanted(top, begun=True), Places(()))
        again.begin()
        assert [each.id for each in again.due()] == [added.id]
        watched.acknowledged(added.id, pb.TAKEN_KEPT)
        file.rename(away)
        watched.look()
        [removed] = watched.due()
        watched.acknowledged(removed.id, pb.TAKEN_KEPT)
        told += [("added", added.id), ("removed", removed.id)]
    assert len(set(told)) == 6


def test_what_is_not_kept_is_told_again_and_what_changed_meanwhile_too(top: Path) -> None:
    watched = Watched(wanted(top), Places(()))
    watched.begin()
    list(watched.noted())
    write(top / "notes" / "a.md")
    watched.look()
    [event] = watched.due()
    assert not list(watched.due())
    watched.acknowledged(event.id, pb.TAKEN_NO_ROOM)
    assert 0 < watched.next_s() <= 2.1
    write(top / "notes" / "b.md")
    watched.look()
    [other] = watched.due()
    write(top / "notes" / "b.md", "more")
    watched.look()
    watched.acknowledged(other.id, pb.TAKEN_KEPT)
    [changed] = watched.due()
    assert '"changed"' in changed.payload
    watched.acknowledged("t1:nonsense", pb.TAKEN_KEPT)


def test_one_that_is_never_quiet_is_told_of_at_last(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("agentos.capabilities.files.watch.time.monotonic", lambda: now[0])
    watched = Watched(wanted(top, quiet_ms=5_000), Places(()))
    watched.begin()
    list(watched.noted())
    for second in range(61):
        write(top / "notes" / "a.md", "x" * second)
        watched.look()
        found = list(watched.due())
        assert bool(found) == (second == 60), second
        now[0] += 1


def test_beyond_a_limit_nothing_is_told_and_later_all_that_changed_is(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(wanted(top), Places(()))
    watched.begin()
    list(watched.noted())
    monkeypatch.setattr(tree, "FILES", 3)
    for number in range(5):
        write(top / "notes" / f"{number}.md")
    watched.look()
    assert "more than 3 files" in watched.trouble
    assert not list(watched.due())
    monkeypatch.setattr(tree, "FILES", 9)
    watched.look()
    assert watched.trouble == ""
    assert len(list(watched.due())) == 5
