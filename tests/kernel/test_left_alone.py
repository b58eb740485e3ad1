"""Who waits for nothing in memory: a run whose follower has left."""

from __future__ import annotations

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import Person, Told, eventually


def test_a_run_that_nobody_follows_any_more_leaves_memory_as_it_waits(person: Person) -> None:
    sleeps = "import time\nprint('waits', flush=True)\ntime.sleep(1_000)"
    stream, told = person.start(person.source(sleeps), ask=pb.ASK_WAIT), Told()
    for event in stream:
        told.hear(event)
        if told.output:
            break
    assert eventually(lambda: person.status().cells_busy == 0)
    assert person.record(told.id).status == pb.RUN_STATUS_ACTIVE
    stream.cancel()
    assert eventually(lambda: person.record(told.id).status == pb.RUN_STATUS_WAITING)
    person.cancel(told.id)
