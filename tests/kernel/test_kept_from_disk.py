"""What a person sees of a run rests on what is on disk. Another program holds the database meanwhile, so that nothing
gets there: what the run says in that time is shown when it is let go, and not before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.message import Message

from agentos.home import chain
from agentos.home import home as opening
from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc
from tests.kernel.gates import Gates
from tests.kernel.person import SECONDS, Person, Told, eventually
from tests.kernel.place import Place
from tests.kernel.test_cut import begin, settle, unknown
from tests.kernel.test_replay import follow, kill

pytestmark = pytest.mark.slow

Control = control_pb2_grpc.ControlServiceStub
Look = tuple[Any, Message]  # a method of the service, as any other, and what it is asked
# What is printed rests on what became of the calls before it alone.
POSTS = """
from agentos.sdk import clock, gather, net
net.get("HOST/go")
gather(POST, clock.now.call())  # with another call beside it, it waits in memory
print("it went on", flush=True)
net.get("HOST/end")
"""
COUNTS = """
from agentos.sdk import net
net.get("HOST/go")
for _ in range(10_000_000):
    pass
print("it went on", flush=True)
net.get("HOST/end")
"""
POST = 'net.fetch.call("POST", "http", "127.0.0.1", port="HOST".rpartition(":")[2], path="/post")'
# It hears nothing, so that its end rests on nothing before it.
ALONE = "for _ in range(10_000_000): pass"
# Less than a kernel waits for who holds its database.
HELD_S = 1.5


@pytest.fixture(scope="module")
def key(home: Path) -> bytes:
    held = opening.unlock(home)
    try:
        return bytes(held.keys.database)
    finally:
        held.close()


@contextmanager
def kept_from_disk(home: Path, key: bytes) -> Iterator[None]:
    db = chain.connect(home / "agentos.db", key)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")
    finally:
        db.close()


def listen(person: Person, run: str) -> Told:
    """What it tells from now on, as far as it was told by then."""
    told, stream = Told(), follow(person, run)

    def heard() -> None:
        with suppress(grpc.RpcError):  # its person left as soon as the end was heard
            for each in stream:
                told.hear(each.event)

    threading.Thread(target=heard, daemon=True).start()
    return told


def test_what_rests_on_what_the_person_said_of_a_call_is_shown_when_that_is_on_disk(
    home: Path, key: bytes, place: Place, outside: Gates
) -> None:
    with place.up() as person:
        run = begin(person, outside, POSTS.replace("POST", POST))
        outside.let("/go")
        assert eventually(lambda: outside.came["/post"] == 1)
        kill(person)
    with place.up() as person:
        assert eventually(lambda: len(unknown(person)) == 1)
        at, told = unknown(person)[0], listen(person, run)
        settling = threading.Thread(target=settle, args=(person, at, True))
        with kept_from_disk(home, key):
            settling.start()
            assert not eventually(lambda: told.output != "", HELD_S)
        assert eventually(lambda: told.output == "it went on\n")
        settling.join()
        outside.let("/end")
        assert eventually(lambda: told.status == "done")


def test_what_is_said_from_another_cell_rests_on_all_that_was_heard_in_the_one_before(
    home: Path, key: bytes, place: Place, outside: Gates
) -> None:
    with place.up() as person:
        run = begin(person, outside, COUNTS)
        told = listen(person, run)
        with kept_from_disk(home, key):
            outside.let("/go")
            assert not eventually(lambda: told.output != "", 0.2)
            for zygote in psutil.Process(person.status().pid).children():
                for cell in zygote.children():
                    cell.kill()
            assert not eventually(lambda: told.output != "", HELD_S - 0.2)
        assert eventually(lambda: told.output == "it went on\n")
        outside.let("/end")
        assert eventually(lambda: told.status == "done")


LOOKS: dict[str, Callable[[Control, str], Look]] = {
    "ps": lambda control, run: (control.ListRuns, pb.ListRunsRequest()),
    "show": lambda control, run: (control.ShowRun, pb.ShowRunRequest(run=run)),
    "manifest": lambda control, run: (control.SuggestManifest, pb.SuggestManifestRequest(run=run)),
    "grants": lambda control, run: (control.ListGrants, pb.ListGrantsRequest()),
    "denied": lambda control, run: (control.ListGrants, pb.ListGrantsRequest(denied=True)),
    "unknown": lambda control, run: (control.ListUnknown, pb.ListUnknownRequest()),
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_looked_at_is_shown_when_all_until_then_is_on_disk(
    home: Path, key: bytes, place: Place, look: str
) -> None:
    with place.up() as person:
        run = person.run("open('a.txt', 'w').write('a')", '"files.write" = { path = ["a.txt"] }').id
        [grant] = person.grants()
        seen, request = LOOKS[look](person.control, run)
        with kept_from_disk(home, key):
            revoked = person.control.Revoke.future(pb.RevokeRequest(id=grant.id), metadata=person.metadata)
            person.status()  # the kernel takes what comes in order
            shown = seen.future(request, metadata=person.metadata)
            assert not eventually(shown.done, HELD_S)
        shown.result(SECONDS)
        revoked.result(SECONDS)


def test_the_end_of_a_run_is_told_when_it_is_on_disk(home: Path, key: bytes, place: Place) -> None:
    with place.up() as person:
        stream, told = person.start(person.source(ALONE), ask=pb.ASK_DENY), Told()
        assert told.hear(next(stream)) == "accepted"
        with kept_from_disk(home, key):
            listening = threading.Thread(target=lambda: [told.hear(each) for each in stream], daemon=True)
            listening.start()
            assert not eventually(lambda: bool(told.ended.id), HELD_S)
        assert eventually(lambda: told.status == "done")
        listening.join()
