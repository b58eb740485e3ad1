"""The bench stands where a shell stands, and its peers do what they are named for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.cpu import TIMES, WORK
from bench.others import Rounds
from bench.peers.install import WHY, why_not
from bench.peers.line import line
from bench.peers.others import COMPUTING, NATIVE, Command, Missing, Other, driven, others
from bench.peers.python import python
from bench.start import PROGRAM
from bench.table import remark, shown
from tests.repository.source import ROOT, imports, within


def test_the_bench_is_a_shell_and_sees_no_more_than_one() -> None:
    """Only programs, which run in a guest, import the SDK; only bare bones and a capability are made of our own.

    What looks for faults and not for time goes deeper, and lies beside it.
    """
    ours = {"programs", "capability", "bare.py", "commit.py", "loose.py"}
    ours |= {
        "faults.py",
        "disk.py",
        "journal.py",
        "powercut.py",
        "crash.py",
        "coming.py",
        "parked.py",
        "scale.py",
        "owed.py",
    }
    files = [path for path in (ROOT / "bench").rglob("*.py") if not ours & {path.parent.name, path.name}]
    seen = {imported for path in files for imported in imports(path)}
    assert {one for one in seen if within(one, "tests")} == set()
    assert {one for one in seen if within(one, "agentos") and not within(one, "agentos.v1")} == set()


def test_the_program_that_starts_has_as_many_lines_as_is_said() -> None:
    assert len(PROGRAM.read_text(encoding="utf-8").splitlines()) == 120


def test_the_python_that_we_compare_with_has_no_packages_beside_it() -> None:
    with python() as peer:
        assert peer.once_ms() > 0
        assert [entry.name for entry in peer.packages()] == []


def test_the_socketpair_that_we_compare_with_answers_from_another_process() -> None:
    with line() as pair:
        assert pair.each_us(10) > 0


LOCKS = ROOT / "bench" / "peers" / "locks"


def _native() -> AbstractContextManager[Other]:
    return COMPUTING[NATIVE]()


def _absent() -> AbstractContextManager[Other]:
    raise Missing("there is none here")


def _ends_at_once() -> AbstractContextManager[Other]:
    return driven([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_peer_that_takes_orders_computes_and_says_what_it_cannot() -> None:
    with others({"native": _native}) as found:
        native = found.up["native"]
        assert native.grow_ms("def main(count):\n    sum(range(count * 100_000))", 3) > 0
        with pytest.raises(Missing, match="no such thing"):
            native.run_ms("1")
        with pytest.raises(Missing, match="ZeroDivisionError"):
            native.grow_ms("1 / 0", 1)
        assert native.grow_ms("def main(count):\n    sum(range(count * 100_000))", 3) > 0, "an error ends nothing"


def test_a_peer_that_cannot_be_had_is_told_with_its_reason_and_the_rest_goes_on() -> None:
    with others({"absent": _absent, "broken": _ends_at_once, "native": _native}) as found:
        assert list(found.up) == ["native"]
        assert found.missing == {"absent": "there is none here", "broken": "it ended with 3"}


async def test_what_was_not_measured_is_a_row_that_says_why() -> None:
    async def mine(count: int) -> list[float]:
        return [1.0] * count

    with others({"absent": _absent, "native": _native}) as found:
        rounds = Rounds(found)
        await rounds.take(found, 2, mine, lambda peer: [peer.grow_ms("def main(count):\n    list(range(9999))", 1)])
        figure = rounds.figure("a run", "absent", "ms", max)
    assert shown(figure)[2] == "not measured (absent)"
    assert remark(figure) == "absent not measured: there is none here"
    assert figure.ratio is None
    assert rounds.figure("a run", "native", "ms", max).samples == 2


def test_a_command_that_is_started_for_each_program_tells_its_last_words(tmp_path: Path) -> None:
    command = Command([sys.executable, "-I"], tmp_path)
    assert command.run_ms("1") > 0
    assert command.weigh() > 0
    with pytest.raises(Missing, match="RuntimeError: spoilt"):
        command.run_ms("raise RuntimeError('spoilt')")


def test_an_environment_that_could_not_be_made_says_why(tmp_path: Path) -> None:
    assert why_not(tmp_path / "none") == "not installed: make bench does it"
    (tmp_path / WHY).write_text("there is no node")
    assert why_not(tmp_path) == "there is no node"


def test_what_the_peers_are_made_of_is_named_by_content_and_by_no_host() -> None:
    for lock in LOCKS.glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        entries = re.findall(r"^([a-z0-9-]+)==[^\n]*((?:\n    --hash=[^\n]*)+)", text, re.MULTILINE)
        assert [name for name, _ in entries] == re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE) != []
    packages = json.loads((LOCKS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert not [file.name for file in LOCKS.iterdir() if re.search(r"://|resolved", file.read_text(encoding="utf-8"))]


def test_the_code_of_the_echo_is_what_its_proto_generates(tmp_path: Path) -> None:
    folder = ROOT / "bench" / "capability"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{ROOT / 'proto'}", f"--python_out={tmp_path}",
         f"--pyi_out={tmp_path}", "--include_imports", f"--descriptor_set_out={tmp_path}/echo.binpb", "echo.proto"],
        cwd=folder, check=True,
    )  # fmt: skip
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (folder / file.name).read_bytes(), file.name


def test_each_work_of_the_cpu_part_is_a_program_that_is_counted_by_its_input() -> None:
    assert {file.stem for file in WORK.glob("*.py")} == set(TIMES)
    with others({"native": _native}) as found:
        for file in WORK.glob("*.py"):
            assert isinstance(found.up["native"].grow_ms(file.read_text(encoding="utf-8"), 1), float)
