"""The kit: a program tried without a kernel meets the same answers and the same refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos.sdk import (
    AgentError,
    Denied,
    Invalid,
    LimitExceeded,
    NeedsApproval,
    NotFound,
    Unavailable,
    clock,
    console,
    event,
    files,
    gather,
    random,
    wire,
)
from agentos.sdk.testing import Grant, Kit

ALL = [Grant(f"files.{action}", path="**") for action in ("read", "write", "trash")]
ALL.append(Grant("files.move", path="**", to="**"))
LINKS = """# /// script
# [tool.agentos]
# name = "links"
# [tool.agentos.grants]
# "files.read"  = { path = ["notes/**"] }
# "files.write" = { path = ["report.md"] }
# files.trash = { path = ["notes/**"], ask = "always" }
# ///
from agentos.sdk import Denied, files

def main(input):
    names = [entry.name for entry in files.list("notes")]
    files.write("report.md", text=input["title"] + "".join(f"\\n* {name}" for name in names))
    print("listed", len(names))
    try:
        files.read(".ssh/config")
    except Denied:
        print("not there")
    return {"count": len(names)}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "links.py"
    path.write_text(LINKS, encoding="utf-8")
    return path


def test_a_program_runs_under_its_manifest(program: Path) -> None:
    kit = Kit.under_manifest(program, {"notes/a.md": "A", "notes/b.md": "B", ".ssh/config": "secret"})
    run = kit.run(program, input={"title": "# Notes"})
    assert (run.status, run.result) == ("done", {"count": 2})
    assert kit.text("report.md") == "# Notes\n* a.md\n* b.md"
    assert run.output == "listed 2\nnot there\n"
    (refused,) = run.refused
    assert (refused.action, refused.args["path"], refused.line) == ("files.read", ".ssh/config", 16)
    assert 'add "files.read" = { path = ["/home/me/.ssh/config"] } to links.py' in str(refused.error)


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("result = 3", "done", ""),
        ("import sys; sys.exit()", "done", ""),
        ("import sys; sys.exit(2)", "failed", "2"),
        ("raise ValueError('no')", "failed", "no"),
        ("result = object()", "failed", "not JSON serializable"),
        ("from agentos.sdk import files; files.trash('notes/a.md')", "refused", "outside"),
        ("raise MemoryError", "limit", ""),
        ("async def main(input): return input", "done", ""),
        ("def main(input=None): raise ValueError", "done", ""),
    ],
)
def test_a_run_ends_as_it_would_in_a_guest(tmp_path: Path, source: str, status: str, said: str) -> None:
    program = tmp_path / "one.py"
    program.write_text(source)
    run = Kit({"notes/a.md": "A"}).run(program)
    assert run.status == status
    assert said in str(run.error)


def test_a_program_sees_its_arguments_and_nothing_stays_behind(tmp_path: Path) -> None:
    program = tmp_path / "echo.py"
    program.write_text("import sys; print(sys.argv); print('err', file=sys.stderr)")
    run = Kit().run(program, "--fast", "x")
    assert run.output == "['echo.py', '--fast', 'x']\n"
    with pytest.raises(Unavailable, match="not running under Agent OS"):
        wire.call("clock.now", {})


def test_outside_every_grant_is_denied_and_what_would_be_asked_needs_approval() -> None:
    with Kit({"a.md": "A"}, [Grant("files.read", path="notes/**")], asks=[Grant("files.write", path="a.md")]):
        with pytest.raises(Denied):
            files.read("a.md")
        with pytest.raises(NeedsApproval):
            files.write("a.md", text="B")
        with pytest.raises(Denied):
            files.move("notes/a", "b")


def test_an_empty_bound_allows_nothing() -> None:
    with Kit({"a.md": "A"}, [Grant("files.read"), Grant("files.read", path=[])]), pytest.raises(Denied):
        files.read("a.md")


def test_places_where_things_execute_are_asked_about_whatever_the_glob_says() -> None:
    with Kit({".bashrc": "x"}, ALL):
        assert files.read_text(".bashrc") == "x"
        with pytest.raises(NeedsApproval, match="GOVERN"):
            files.append(".bashrc", text="evil")
        with pytest.raises(Denied):
            files.read("/proc/self/environ")


def test_a_budget_is_not_overdrawn() -> None:
    with Kit(grants=[Grant("files.write", path="**", bytes=5)]):
        files.write("a", text="abc")
        with pytest.raises(LimitExceeded) as caught:
            files.append("a", data=b"defg")
        assert caught.value.detail == "quota"
        files.append("a", data=b"de")


def test_gathered_calls_have_their_own_outcomes() -> None:
    with Kit({"a": "A"}, [Grant("files.read", path=["a", "b"])]):
        read, missing, refused = gather(files.read.call("a"), files.stat.call("b"), files.stat.call("c"))
    assert isinstance(read, files.ReadResponse)
    assert isinstance(missing, NotFound)
    assert isinstance(refused, Denied)


def test_a_listing_leaves_out_what_the_grant_does_not_cover() -> None:
    with Kit({"notes/a.md": "", "notes/b.txt": "", "notes/deep/c.md": ""}, [Grant("files.read", path="notes/**/*.md")]):
        assert [(e.name, e.kind) for e in files.list("notes")] == [("a.md", "file"), ("deep", "folder")]
        assert files.stat("/home/me/notes/deep").kind is files.FileKind.FOLDER


@pytest.mark.parametrize(
    ("call", "kind", "detail"),
    [
        (files.read.call("folder"), Invalid, "is_folder"),
        (files.read.call("gone"), NotFound, ""),
        (files.read.call("../a"), Invalid, "bad_name"),
        (files.read.call("bytes", as_text=True), Invalid, "not_text"),
        (files.read.call("a", if_version="other"), Unavailable, "changed"),
        (files.list.call("a"), Invalid, "not_folder"),
        (files.write.call("a", text="x", create_only=True), Invalid, "exists"),
        (files.write.call("a/b", text="x"), Invalid, "not_folder"),
        (files.write.call("gone/b", text="x"), NotFound, ""),
        (files.mkdir.call("folder"), Invalid, "exists"),
        (files.move.call("a", "bytes"), Invalid, "exists"),
        (files.move.call("folder", "folder/in"), Invalid, ""),
        (files.trash.call("gone"), NotFound, ""),
        (random.bytes.call(0), Invalid, ""),
    ],
)
def test_files_fail_as_the_real_ones_do(call: object, kind: type[AgentError], detail: str) -> None:
    assert callable(call)
    with Kit({"a": "A", "bytes": b"\xff", "folder/b": "B"}, ALL), pytest.raises(kind) as caught:
        call()
    assert caught.value.detail == detail


def test_files_change_as_the_real_ones_do() -> None:
    with Kit({"a": "A", "folder/b": "B"}, ALL) as kit:
        before = files.stat("a").version
        assert files.append("a", text="A").size == 2
        assert files.stat("a").version != before
        files.mkdir("new/deep", parents=True)
        assert files.move("folder", "new/deep/folder").kind == "folder"
        files.move("a", "new/deep/folder/b", replace=True)
        files.trash("new/deep")
    assert kit.files == {}


def test_a_large_file_comes_in_pieces_and_whole() -> None:
    text = "é" * 700_000
    with Kit({"a": text}, ALL):
        piece = files.read("a", as_text=True)
        assert piece.size == 1_400_000
        assert len(piece.text.encode()) == 2**20
        assert files.read_text("a") == text


def test_time_stands_still_but_for_what_is_slept() -> None:
    with Kit() as kit:
        before = clock.now()
        clock.sleep(60_000)
        assert clock.now().unix_ms - before.unix_ms == 60_000
        assert kit.clock.unix_ms == clock.now().unix_ms


def test_random_bytes_are_the_same_in_every_run_and_lines_are_typed_in_order() -> None:
    drawn = []
    for _ in range(2):
        with Kit(lines=["yes"]):
            drawn.append(random.bytes(8))
            assert console.read_line("sure? ") == console.ReadLineResponse("yes", end=False)
            assert console.read_line("sure? ").end
    assert drawn[0] == drawn[1]


def test_an_action_that_is_not_there_and_arguments_that_do_not_fit_are_invalid() -> None:
    with Kit():
        with pytest.raises(Invalid, match=r"no action files\.raed"):
            wire.call("files.raed", {})
        with pytest.raises(Invalid, match="do not fit"):
            wire.call("clock.sleep", {"minutes": 3})


def test_it_keeps_what_a_program_sends() -> None:
    kit = Kit(grants=[Grant("event.send", name="report.ready")])
    with kit:
        assert event.send("report.ready", {"pages": 3})
        with pytest.raises(Denied):
            event.send("paid")
        with pytest.raises(LimitExceeded):
            event.send("report.ready", "x" * (1 << 20))
        with pytest.raises(Invalid):
            event.send("report.ready", {1, 2})
    assert kit.sent == [("report.ready", {"pages": 3})]


def test_an_event_that_is_waited_for_is_one_that_comes_or_that_the_program_sent() -> None:
    allowed = [Grant("event.send", name="paid"), Grant("event.wait_for", name="paid")]
    kit = Kit(grants=allowed, events=[("paid", {"order": 1}), ("shipped", None)])
    with kit:
        event.send("paid", {"order": 2})
        came = event.wait_for("paid", where={"order": 2})
        assert came
        assert (came["event"], came["data"]) == ("event.paid", {"order": 2})
        assert (event.wait_for("paid") or {})["data"] == {"order": 1}
        before = clock.now().unix_ms
        assert event.wait_for("paid", timeout=60) is None
        assert clock.now().unix_ms - before == 60_000
        with pytest.raises(Denied):
            event.wait_for("shipped")
        with pytest.raises(Invalid):
            event.wait_for("paid", where={"order": {1}})
