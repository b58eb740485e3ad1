"""What the person reads, as it is: golden screens without colour."""

from __future__ import annotations

import pytest
from rich.console import Console

from agentos.shell import pages, render, sheet
from agentos.shell.follow import closing
from agentos.v1 import annotations_pb2, capability_pb2, error_pb2
from agentos.v1 import control_pb2 as pb
from tests.shell.prompts import PROGRAM, paths, wanted

PATH = [capability_pb2.Target(name="path", value="/home/me/.ssh/config")]


def refused_call() -> pb.Call:
    reasons = {
        "manifest": "outside (links.py:5 has files.read notes/**/*.md)",
        "grant": "none",
        "effect": "none: nothing was opened, looked up or sent",
        "to allow": 'add "files.read" = { path = ["~/.ssh/config"] } to links.py, only if you trust this program',
    }
    return pb.Call(
        seq=4,
        action="files.read",
        targets=PATH,
        decision=pb.CALL_DECISION_REFUSED,
        digest="ef" * 32,
        error=error_pb2.Error(code=error_pb2.CODE_DENIED, reason="outside what links.py may ever ask"),
        reasons=[pb.Reason(label=label, text=text) for label, text in reasons.items()],
    )


def test_why_is_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    render.why(refused_call(), [])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "files.read /home/me/.ssh/config              REFUSED",
        "manifest  outside (links.py:5 has files.read notes/**/*.md)",
        "grant     none",
        "effect    none: nothing was opened, looked up or sent",
        'to allow  add "files.read" = { path = ["~/.ssh/config"] } to links.py, only if you trust this program',
    ]


def test_why_says_that_a_run_had_read_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    made = refused_call()
    made.after_outside = True
    render.why(made, ["api.example.com", "pages.extract"])
    assert "outside   asked after the run had read from api.example.com, pages.extract" in capsys.readouterr().out


def test_a_run_shows_where_it_has_read_from_and_what_it_did_after_that(capsys: pytest.CaptureFixture[str]) -> None:
    fetched = pb.Call(seq=1, action="net.fetch", decision=pb.CALL_DECISION_ALLOWED, from_outside=True)
    written = pb.Call(seq=2, action="files.write", decision=pb.CALL_DECISION_ALLOWED, after_outside=True)
    run = pb.Run(id="r1", program="links", outside=["api.example.com"])
    render.run(pb.ShowRunResponse(run=run, calls=[fetched, written]))
    shown = capsys.readouterr().out
    assert "  outside  it has read from api.example.com" in shown
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == ["OUTSIDE", "read", "after"]


def test_explain_says_what_may_be_asked_and_what_never(capsys: pytest.CaptureFixture[str]) -> None:
    limits = pb.Limits(memory_bytes=128 << 20, cpu_ms=5000, wall_ms=120_000, calls=1000, output_bytes=1 << 20)
    program = pb.Program(lines=[wanted(1, "files.read", "/notes/*"), wanted(2, "files.trash", "/notes/*", always=True)])
    program.MergeFrom(PROGRAM)
    program.MergeFrom(pb.Program(limits=limits, covered=["files.list", "files.read", "files.stat", "files.trash"]))
    actions = [pb.ActionInfo(name=f"files.{name}") for name in ("list", "read", "stat", "trash", "write", "move")]
    files = pb.CapabilityInfo(name="files", actions=actions, state="ready")
    everybodys = pb.CapabilityInfo(name="pages", actions=[pb.ActionInfo(name="pages.extract", inherent=True)])
    pages.explain(program, [files, everybodys], counts=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "links.py is links, version abababababab",
        "",
        "may, once you allowed it",
        "  read  /notes/*    links.py:5",
        "",
        "asks you each time",
        "  trash  /notes/*    links.py:6",
        "",
        "never",
        "  files.write, files.move",
        "  any file, folder or place that is not listed above",
        "  the network, mail, other programs, the environment: there is no way to them",
        "",
        "limits",
        "  memory 128 MiB · cpu 5 s · wall 2 min · 1,000 calls · output 1 MiB",
    ]


def test_grants_show_what_they_cover_and_how_often_they_were_used(capsys: pytest.CaptureFixture[str]) -> None:
    granted = pb.Grant(
        id="g3", program="links", action="files.read", bounds=paths("/a/*", "/b/*"), terms=pb.CHOICE_VERSION,
        uses=12, uses_left=-1, state=pb.GRANT_STATE_LIVE,
    )  # fmt: skip
    pages.grants([granted], denied=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "ID  PROGRAM  ACTION      COVERS  TERMS    USED",
        "g3  links    files.read  /a/*    version  12×",
        "                         /b/*",
    ]
    pages.grants([], denied=True)
    assert capsys.readouterr().out == "nothing is refused for good\n"


def test_a_run_shows_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    timings = pb.Timings(queued=1_000_000, cell=1_000_300, first_line=1_000_500, ended=1_002_400)
    error = error_pb2.Error(code=error_pb2.CODE_DENIED, reason="outside what links.py may ever ask", hint="see why")
    run = pb.Run(
        id="r12", program="links", path="/home/me/links.py", digest="ab" * 32, status=pb.RUN_STATUS_REFUSED,
        error=error, timings_us=timings, calls=1, refused=1,
    )  # fmt: skip
    render.run(pb.ShowRunResponse(run=run, calls=[refused_call()]))
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown[0] == "r12 links  REFUSED"
    assert shown[3] == "  took     2.4 ms: 300 µs to a cell, 200 µs to its first line, 1.9 ms to run"
    assert shown[-2:] == [
        "4          files.read /home/me/.ssh/config     refused",
        "           outside what links.py may ever ask",
    ]


@pytest.mark.parametrize(
    ("cell", "said"),
    [(0, "2.4 ms; it never began"), (1_000_300, "2.4 ms: 300 µs to a cell, which was ended")],
)
def test_a_run_that_was_cut_off_says_how_far_it_came(cell: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    timings = pb.Timings(queued=1_000_000, cell=cell, ended=1_002_400)
    run = pb.Run(id="r12", program="links", status=pb.RUN_STATUS_CANCELLED, timings_us=timings)
    render.run(pb.ShowRunResponse(run=run))
    assert f"  took     {said}\n" in capsys.readouterr().out


def test_a_failed_wall_is_said_and_so_is_the_guest(capsys: pytest.CaptureFixture[str]) -> None:
    walls = [
        pb.Wall(name="seccomp", about="system calls", held=True, note="socket() was refused"),
        pb.Wall(name="landlock", about="files", held=False, note="this kernel has none"),
    ]
    guest = pb.Guest(path="/g.wasm", digest="aa", imports=["agentos:guest/kernel"])
    pages.doctor(pb.DoctorResponse(walls=walls, pid=7, guest=guest, version="0.1.0", home="/h"))
    shown = capsys.readouterr().out
    assert "held     seccomp" in shown
    assert "MISSING  landlock" in shown
    assert "1 wall is missing" in shown
    assert "imports agentos:guest/kernel, and nothing else" in shown


def test_the_end_of_a_run_says_what_was_refused_and_what_to_do() -> None:
    error = error_pb2.Error(code=error_pb2.CODE_LIMIT, reason="it used more than its CPU limit", hint="raise cpu")
    run = pb.Run(
        id="r3", path="/home/me/x.py", status=pb.RUN_STATUS_LIMIT, error=error, refused=3, manifest_offered=True
    )
    assert closing(run) == [
        ("r3 reached a limit: it used more than its CPU limit", "red"),
        ("  raise cpu", ""),
        ("3 calls were refused: agentos why r3", "yellow"),
        ("it has no manifest; what it turned out to need: agentos manifest /home/me/x.py --from r3", "yellow"),
    ]
    assert closing(pb.Run(id="r4", status=pb.RUN_STATUS_DONE)) == []


def test_the_effect_of_a_call_is_said_in_words() -> None:
    from agentos.shell.sheet import EFFECTS

    known = set(annotations_pb2.Effect.values()) - {annotations_pb2.EFFECT_UNSPECIFIED}
    assert set(EFFECTS) == known


def test_what_is_allowed_is_folded_and_never_cut_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_PIPE_WIDTH", 60)
    path = f"/home/me/{'deep/' * 12}**/*.md"
    render.grid([["  read", path, "links.py:5"]])
    shown = capsys.readouterr().out.splitlines()
    assert "".join(line.removeprefix("  read").split("links.py:5")[0].strip() for line in shown) == path


URL = [
    capability_pb2.Target(name=name, value=value)
    for name, value in {"method": "GET", "scheme": "http", "host": "127.0.0.1", "port": "8017", "path": "/a"}.items()
]


def test_a_call_is_shown_by_its_url_and_not_by_the_parts_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    render.why(pb.Call(seq=1, action="net.fetch", targets=URL, decision=pb.CALL_DECISION_ALLOWED), [])
    assert capsys.readouterr().out.startswith("net.fetch GET http://127.0.0.1:8017/a  ")
    moved = [capability_pb2.Target(name=name, value=f"/{name}") for name in ("from", "to")]
    assert sheet.aim(moved) == "/from → /to"


def test_why_says_what_came_of_a_call_that_was_allowed_and_failed(capsys: pytest.CaptureFixture[str]) -> None:
    error = error_pb2.Error(code=error_pb2.CODE_DENIED, reason="127.0.0.1 leads to this machine", hint="only if meant")
    render.why(pb.Call(seq=1, action="net.fetch", decision=pb.CALL_DECISION_ALLOWED, error=error), [])
    told = capsys.readouterr().out.splitlines()[1:]
    assert told == ["came to  127.0.0.1 leads to this machine", "to do    only if meant"]


def test_a_table_that_a_narrow_terminal_would_break_the_words_of_is_shown_row_by_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "console", lambda: Console(width=40, no_color=True, highlight=False))
    runs = [pb.Run(id=name, program="links", status=pb.RUN_STATUS_DONE, calls=3) for name in ("r2", "r1")]
    render.runs(runs)
    assert capsys.readouterr().out.splitlines() == [
        "RUN      r2", "PROGRAM  links", "STATUS   done", "CALLS    3", "",
        "RUN      r1", "PROGRAM  links", "STATUS   done", "CALLS    3",
    ]  # fmt: skip
