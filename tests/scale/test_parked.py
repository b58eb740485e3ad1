"""Very much in one home: what a start, a record and a waking do does not grow with what lies there.

The short form of `python -m bench.scale`. It counts rows and bytes, and looks at no clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentos.home.journal import Journal
from agentos.kernel import ledger as of_ledger
from agentos.v1 import control_pb2 as pb
from bench import parked
from bench.journal import records
from tests.kernel.person import Person, eventually, kernel_on

pytestmark = pytest.mark.slow
RUNS, TIMERS, WOKEN = 2_000, 2_000, 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which so many runs sleep and so many timers are armed."""
    at = tmp_path_factory.mktemp("parked").resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTOS_STATE", str(at / "state"))
        parked.template(at)
        of = parked.read(at)
        with parked.opened(at) as ledger:
            parked.fill(ledger, of, RUNS, TIMERS)
        yield at


@contextmanager
def rows_read(patch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows of the journal are read meanwhile."""
    read, rows = [0], Journal._rows

    def counted(journal: Journal, sql: str, values: tuple[int | str, ...]) -> object:
        found = rows(journal, sql, values)
        read[0] += len(found)
        return found

    patch.setattr(Journal, "_rows", counted)
    yield read


def test_a_start_reads_no_record_of_what_waits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rows_read(monkeypatch) as read, parked.opened(place, keep=False) as ledger:
        assert len(ledger.open) == RUNS + 1
        assert len(ledger.queue.triggers) == TIMERS + 2
        assert read[0] == 0


def test_a_run_that_comes_back_has_its_own_records_read_and_no_others(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = len(parked.read(place).run)
    with rows_read(monkeypatch) as read, parked.opened(place, keep=False) as ledger:
        run = next(reversed(ledger.open))
        past = ledger.past(run)
        assert past
        assert len(ledger.recorded(run)) == 3
        assert ledger.program(past.began.digest)
        assert read[0] <= 3 * (own + 2) + 1


def test_a_record_costs_no_more_than_its_share_of_a_snapshot(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_ledger, "KEEP_EVERY", 100)
    written, keep = [0], Journal.keep

    def kept(journal: Journal, name: str, state: bytes) -> None:
        written[0] += len(state)
        keep(journal, name, state)

    with parked.opened(place, keep=False) as ledger:
        monkeypatch.setattr(Journal, "keep", kept)
        ledger.keep()
        size, before, first = written[0], written[0], ledger.journal.head[0]
        assert size > 100 * of_ledger.KEEP_BYTES, "else this tries nothing"
        for number in range(1_000_000, 1_001_000):
            ledger.record(*records(number))
        made = ledger.journal.head[0] - first
        assert size <= written[0] - before <= made * of_ledger.KEEP_BYTES


def test_some_of_them_come_back_are_played_again_and_end_none_before_its_time(place: Path) -> None:
    of = parked.read(place)
    due = time.time_ns() // 1_000_000 + 1_000
    with parked.opened(place) as ledger:
        made = parked.sample(ledger, of, [due + 100 * each for each in range(WOKEN)])
    with kernel_on(place / "home", place / "log") as up:
        person = Person(up.socket, up.credential, Path(of.folder))
        try:
            for run, until_ms in made.due.items():
                assert eventually(lambda run=run: person.record(run).status == pb.RUN_STATUS_DONE)  # type: ignore[misc]
                assert person.record(run).result == "[20,true]"
                assert person.record(run).output == "awake\n"
                assert person.record(run).timings_us.ended >= until_ms * 1000
        finally:
            person.close()
