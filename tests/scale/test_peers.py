"""The bench stands where a shell stands, and its peers do what they are named for."""

from __future__ import annotations

from bench.peers.line import line
from bench.peers.python import python
from bench.start import PROGRAM
from tests.repository.source import ROOT, imports, within


def test_the_bench_is_a_shell_and_sees_no_more_than_one() -> None:
    """Only the programs that it runs, which run in a guest, import the SDK; only the bare bones are made of our own.

    What looks for faults and not for time goes deeper, and lies beside it.
    """
    ours = {"programs", "bare.py", "faults.py", "disk.py", "journal.py", "powercut.py"}
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
