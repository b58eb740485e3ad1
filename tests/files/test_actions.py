"""What the eight actions do, through the kernel's side of the calls and a real server behind its walls."""

from __future__ import annotations

import os
import time
from urllib.parse import unquote

import pytest

from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import error_pb2
from agentos.v1 import files_pb2 as pb
from tests.servers.world import World, context

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_reads_a_file_whole_and_in_ranges(me: World) -> None:
    (me.folder / "a").write_bytes(b"0123456789")
    whole = await me.call("files.read", path="a")
    assert (whole.data, whole.text, whole.size) == (b"0123456789", "", 10)
    assert (await me.call("files.read", path="a", offset=3, length=4)).data == b"3456"
    assert (await me.call("files.read", path="a", offset=8, length=4)).data == b"89"
    assert (await me.call("files.read", path="a", offset=11)).data == b""
    assert (await me.refused("files.read", path="a", offset=-1)).code == error_pb2.CODE_INVALID


async def test_reads_at_most_a_mebibyte_and_says_how_much_there_is(me: World) -> None:
    (me.folder / "big").write_bytes(bytes(3 * 2**20))
    reply = await me.call("files.read", path="big", length=10**9)
    assert (len(reply.data), reply.size) == (2**20, 3 * 2**20)


async def test_text_that_a_range_cuts_in_a_character_ends_before_it(me: World) -> None:
    (me.folder / "text").write_text("ab€cd")
    assert (await me.call("files.read", path="text", length=4, as_text=True)).text == "ab"
    assert (await me.call("files.read", path="text", offset=2, as_text=True)).text == "€cd"
    (me.folder / "bytes").write_bytes(b"ab\xff")
    assert (await me.refused("files.read", path="bytes", as_text=True)).detail == "not_text"
    (me.folder / "half").write_bytes("ab€".encode()[:-1])
    assert (await me.refused("files.read", path="half", as_text=True)).detail == "not_text"


async def test_a_version_changes_with_the_content_and_guards_reads_and_writes(me: World) -> None:
    first = (await me.call("files.write", path="a", text="one")).entry
    assert (await me.call("files.stat", path="a")).entry == first
    second = (await me.call("files.write", path="a", text="two", if_version=first.version)).entry
    assert second.version != first.version
    assert (await me.refused("files.write", path="a", text="three", if_version=first.version)).detail == "changed"
    assert (await me.refused("files.read", path="a", if_version=first.version)).detail == "changed"
    assert (await me.refused("files.write", path="b", text="new", if_version=first.version)).detail == "changed"
    assert (await me.call("files.read", path="a", as_text=True)).text == "two"


async def test_writes_text_and_bytes_and_nothing(me: World) -> None:
    await me.call("files.write", path="t", text="grüße")
    await me.call("files.write", path="b", data=b"\x00\xff")
    await me.call("files.write", path="e")
    assert [(me.folder / n).read_bytes() for n in "tbe"] == ["grüße".encode(), b"\x00\xff", b""]
    assert (await me.refused("files.write", path="x", text="a", data=b"a")).code == error_pb2.CODE_INVALID
    assert sorted(os.listdir(me.folder)) == ["b", "e", "t"]


async def test_a_replaced_file_keeps_its_mode_and_a_new_one_cannot_be_executed(me: World) -> None:
    (me.folder / "script").write_text("old")
    (me.folder / "script").chmod(0o750)
    await me.call("files.write", path="script", text="new")
    await me.call("files.write", path="fresh", text="new")
    assert (me.folder / "script").stat().st_mode & 0o7777 == 0o750
    assert (me.folder / "fresh").stat().st_mode & 0o111 == 0


async def test_create_only_never_replaces(me: World) -> None:
    await me.call("files.write", path="a", text="one", create_only=True)
    assert (await me.refused("files.write", path="a", text="two", create_only=True)).detail == "exists"
    assert (me.folder / "a").read_text() == "one"


async def test_appends_to_a_file_and_makes_it_where_it_is_missing(me: World) -> None:
    assert (await me.call("files.append", path="log", text="one\n")).entry.size == 4
    assert (await me.call("files.append", path="log", data=b"two\n")).entry.size == 8
    assert (me.folder / "log").read_text() == "one\ntwo\n"


async def test_a_missing_folder_is_said_to_be_missing(me: World) -> None:
    for action in ("files.read", "files.list", "files.write", "files.append", "files.mkdir", "files.trash"):
        assert (await me.refused(action, path="no/such")).code == error_pb2.CODE_NOT_FOUND, action


async def test_makes_folders_one_or_all_above(me: World) -> None:
    assert (await me.call("files.mkdir", path="one")).entry.kind == pb.FILE_KIND_FOLDER
    assert (await me.refused("files.mkdir", path="one")).detail == "exists"
    await me.call("files.mkdir", path="one", parents=True)
    await me.call("files.mkdir", path="a/b/c", parents=True)
    assert (me.folder / "a/b/c").is_dir()
    (me.folder / "file").write_text("")
    assert (await me.refused("files.mkdir", path="file", parents=True)).detail == "exists"


async def test_makes_the_folder_that_a_grant_is_about(me: World) -> None:
    under = [me.path("out/**")]
    await me.call("files.mkdir", under, path="out/deep", parents=True)
    assert (me.folder / "out/deep").is_dir()
    missing = [me.path("not/there/**")]
    assert (await me.refused("files.mkdir", missing, path="not/there/x", parents=True)).code == error_pb2.CODE_NOT_FOUND
    assert not (me.folder / "not").exists()


async def test_lists_by_name_only_what_the_grant_covers(me: World) -> None:
    for name in ("b.md", "a.md", "c.txt", "notes/d.md", "bad\u202ename.md"):
        (me.folder / name).parent.mkdir(exist_ok=True)
        (me.folder / name).write_text(name)
    (me.folder / "link.md").symlink_to("a.md")
    (me.folder / os.fsdecode(b"\xff.md")).write_text("")
    entries = (await me.call("files.list", [me.path("**/*.md")], path="")).entries
    kinds = {entry.name: entry.kind for entry in entries}
    assert list(kinds) == ["a.md", "b.md", "link.md", "notes"]
    assert kinds["link.md"] == pb.FILE_KIND_LINK
    assert kinds["notes"] == pb.FILE_KIND_FOLDER


async def test_a_grant_of_the_folder_itself_lists_all_its_names(me: World) -> None:
    for name in ("a.md", "c.txt", "deep/d.md"):
        (me.folder / name).parent.mkdir(exist_ok=True)
        (me.folder / name).write_text(name)
    entries = (await me.call("files.list", [me.path("")], path="")).entries
    assert [entry.name for entry in entries] == ["a.md", "c.txt", "deep"]
    assert (await me.refused("files.list", [me.path("")], path="deep")).code == error_pb2.CODE_DENIED


async def test_stat_tells_no_more_of_uncovered_files_than_list(me: World) -> None:
    (me.folder / "secret.txt").write_text("")
    under = [me.path("**/*.md")]
    there = await me.refused("files.stat", under, path="secret.txt")
    missing = await me.refused("files.stat", under, path="nothing.txt")
    assert there.reason.replace("secret", "") == missing.reason.replace("nothing", "")
    assert (await me.call("files.stat", under, path="")).entry.kind == pb.FILE_KIND_FOLDER


async def test_moves_a_file_and_a_folder(me: World) -> None:
    (me.folder / "a").write_text("one")
    (me.folder / "folder").mkdir()
    (me.folder / "folder" / "in").write_text("two")
    assert (await me.call("files.move", path="a", to="b")).entry.name == "b"
    await me.call("files.move", path="folder", to="moved")
    assert ((me.folder / "b").read_text(), (me.folder / "moved/in").read_text()) == ("one", "two")
    assert (await me.refused("files.move", path="moved", to="moved/x")).code == error_pb2.CODE_INVALID


async def test_what_a_move_would_replace_is_resolved_first_and_goes_to_the_trash(me: World) -> None:
    (me.folder / "new").write_text("new")
    (me.folder / "old").write_text("the old one")
    assert (await me.refused("files.move", path="new", to="old")).detail == "exists"
    await me.call("files.move", path="new", to="old", replace=True)
    assert (me.folder / "old").read_text() == "new"
    trash = me.folder.parent.parent / "share" / "Trash"
    assert "the old one" in [file.read_text() for file in (trash / "files").iterdir() if file.is_file()]


async def test_a_move_is_refused_when_what_it_would_replace_has_changed(me: World) -> None:
    (me.folder / "new").write_text("new")
    (me.folder / "old").write_text("as shown")
    rule = me.catalog.actions["files.move"]
    raw = rule.request(path=me.path("new"), to=me.path("old"), replace=True).SerializeToString()
    bounds = {"path": [me.path("**")], "to": [me.path("**")]}
    shown = await me.servers.prepare("files", "files.move", raw, context(bounds))
    assert {target.name for target in shown} == {"path", "to", "replaces"}
    (me.folder / "old").write_text("not as shown")
    decided = context(bounds)
    decided.targets.extend(shown)
    with pytest.raises(CallFailed) as caught:
        await me.servers.call("files", rule.method, raw, decided)
    assert caught.value.error.detail == "changed"
    assert (me.folder / "old").read_text() == "not as shown"


async def test_trash_can_be_brought_back(me: World) -> None:
    (me.folder / "ärger %").write_text("mine")
    await me.call("files.trash", path="ärger %")
    assert not (me.folder / "ärger %").exists()
    trash = me.folder.parent.parent / "share" / "Trash"
    (info,) = [f.read_text() for f in (trash / "info").iterdir() if "rger" in f.name]
    header, path, deleted = info.splitlines()
    assert header == "[Trash Info]"
    assert unquote(path.removeprefix("Path=")) == me.path("ärger %")
    assert abs(time.mktime(time.strptime(deleted, "DeletionDate=%Y-%m-%dT%H:%M:%S")) - time.time()) < 60


async def test_the_same_name_can_be_trashed_often(me: World) -> None:
    for number in range(5):
        (me.folder / "again").write_text(str(number))
        await me.call("files.trash", path="again")
    kept = me.folder.parent.parent / "share" / "Trash" / "files"
    assert {f.read_text() for f in kept.iterdir() if f.name.startswith("again")} == set("01234")
