"""A kernel that was started to be looked at has no guest until something runs in it, and then one for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import Person, Up, kernel_on, warm_home

pytestmark = pytest.mark.slow


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with kernel_on(warm_home(tmp_path), tmp_path / "log", "--command", "look") as served:
        yield served


def zygotes(up: Up) -> int:
    return sum("agentos.kernel.cells.zygote" in child.cmdline() for child in psutil.Process(up.pid).children())


def test_the_first_runs_prepare_the_guest_once_and_both_get_a_cell(person: Person, up: Up) -> None:
    assert person.inbox() == []
    assert zygotes(up) == 0
    source = person.source("result = 1")
    both = [person.start(source), person.start(source)]
    assert [person.follow(each).result for each in both] == [1, 1]
    assert zygotes(up) == 1


def test_it_can_end_while_its_guest_is_being_prepared(person: Person) -> None:
    stream = person.start(person.source("result = 1"), ask=pb.ASK_WAIT)
    assert next(stream).accepted.run == "r1"


def test_where_all_walls_are_required_it_does_not_listen_before_they_were_tried(tmp_path: Path) -> None:
    try:
        with kernel_on(warm_home(tmp_path), tmp_path / "log", "--command", "look", "--require-walls") as served:
            assert zygotes(served) == 1
    except AssertionError as lacking:
        if "this machine lacks walls" not in str(lacking):
            raise
