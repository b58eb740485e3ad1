"""A call is cut off at each of its steps: before its intent is on disk, before it is sent, before and after it took
effect, and after its reply is on disk. Each time the effect is there exactly once when the run is over.

Where the kernel is stopped is arranged from outside: a capability server is stopped before a call reaches it, the
kernel is stopped before the reply reaches it, and a server on loopback answers when it is let.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from agentos.v1 import control_pb2 as pb
from tests.kernel.gates import Gates
from tests.kernel.person import Person, Told, eventually
from tests.kernel.place import Place
from tests.kernel.test_replay import end_of, kill

GRANTS = """
"files.append" = { path = ["log.txt"] }
"files.stat" = { path = ["now.txt"] }
"net.fetch" = { host = ["127.0.0.1"], scheme = "http", port = PORT, network = "loopback", method = ["GET", "POST"] }
"""
APPENDS = """
from agentos.sdk import files, net
files.append("log.txt", text="one\\n")
net.get("HOST/go")
files.append("log.txt", text="two\\n")
net.get("HOST/end")
"""
POSTS = """
from agentos.sdk import AgentError, net
net.get("HOST/go")
try:
    net.post("HOST/post", data="x")
    result = "ok"
except AgentError as error:
    result = error.detail
"""
# The same, when a file says so.
POSTS_LATER = POSTS.replace(
    'net.get("HOST/go")',
    """net.get("HOST/go")
import os, time
while not os.path.exists("now.txt"):
    time.sleep(0.05)""",
)


def begin(person: Person, outside: Gates, program: str) -> str:
    """Start a run that nobody follows, and wait until it stands at its first gate."""
    source = person.source(
        program.replace("HOST", f"http://127.0.0.1:{outside.port}"), GRANTS.replace("PORT", str(outside.port))
    )
    stream, told = person.start(source, ask=pb.ASK_WAIT, grant_manifest=True), Told()
    for event in stream:
        told.hear(event)
        if told.id:
            break
    assert eventually(lambda: outside.came["/go"] > 0)
    stream.cancel()
    return told.id


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)


def made(person: Person, run: str, action: str) -> int:
    return len(person.calls(run, action))


def unknown(person: Person) -> list[tuple[str, int]]:
    found = person.control.ListUnknown(pb.ListUnknownRequest(), metadata=person.metadata).calls
    return [(each.run, each.call.seq) for each in found]


def settle(person: Person, at: tuple[str, int], happened: bool) -> None:
    person.control.SettleCall(pb.SettleCallRequest(run=at[0], seq=at[1], happened=happened), metadata=person.metadata)


def goes_on(place: Place, outside: Gates, run: str) -> None:
    """The next kernel ends the run, and each line is there once."""
    outside.let("/go", "/end")
    with place.up() as person:
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE, 30), person.record(run)
        assert unknown(person) == []
    assert place.lines() == ["one", "two"]


def test_before_its_intent_is_on_disk(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, APPENDS)
        assert made(person, run, "files.append") == 1
        kill(person)
    goes_on(place, outside, run)


def test_when_its_intent_is_on_disk_and_nobody_has_heard_of_it(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, APPENDS)
        server = psutil.Process(person.capability("files").pid)
        with stopped(server.pid):
            outside.let("/go")
            assert eventually(lambda: made(person, run, "files.append") == 2)
            kill(person)
            # It goes with its kernel, before it is let go on: else it would do what it was sent.
            assert eventually(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    assert place.lines() == ["one"]
    goes_on(place, outside, run)


def test_when_it_took_effect_and_the_kernel_has_not_heard_of_it(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run, kernel = begin(person, outside, APPENDS), person.status().pid
        with stopped(person.capability("files").pid):
            outside.let("/go")
            assert eventually(lambda: made(person, run, "files.append") == 2)
            assert person.status().pid == kernel  # a turn of its loop later it was sent
            assert person.status().pid == kernel
            os.kill(kernel, signal.SIGSTOP)
        assert eventually(lambda: place.lines() == ["one", "two"])
        os.kill(kernel, signal.SIGKILL)
    goes_on(place, outside, run)


def test_when_its_reply_is_on_disk(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, APPENDS)
        outside.let("/go")
        assert eventually(lambda: outside.came["/end"] > 0)
        kill(person)
    goes_on(place, outside, run)


def test_when_the_kernel_is_asked_to_stop(place: Place, outside: Gates) -> None:
    """What nobody follows is not over by that, and a call under way is not told as interrupted."""
    with place.up() as person:
        run = begin(person, outside, APPENDS)
        with stopped(person.capability("files").pid):
            outside.let("/go")
            assert eventually(lambda: made(person, run, "files.append") == 2)
            kernel = psutil.Process(person.status().pid)
            kernel.terminate()
            assert eventually(lambda: kernel.status() == psutil.STATUS_ZOMBIE, 15)
    goes_on(place, outside, run)


def test_when_its_cell_is_lost(place: Place, outside: Gates) -> None:
    """It is waited for, and the run not played again before it is over: it might be made twice."""
    with place.up() as person:
        run = begin(person, outside, APPENDS)
        with stopped(person.capability("files").pid):
            outside.let("/go", "/end")
            assert eventually(lambda: made(person, run, "files.append") == 2)
            for zygote in psutil.Process(person.status().pid).children():
                for cell in zygote.children():
                    cell.kill()
            assert eventually(lambda: person.status().cells_busy == 0)
            assert not eventually(lambda: person.status().cells_busy > 0, 1.3)
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE, 30)
        assert place.lines() == ["one", "two"]


def test_a_post_that_was_not_sent_is_sent_when_the_person_says_so_and_once(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, POSTS_LATER)
        outside.let("/go")
        assert eventually(lambda: made(person, run, "files.stat") > 0)
        net = person.capability("net").pid
        with stopped(net):
            (place.folder / "now.txt").touch()
            assert eventually(lambda: made(person, run, "net.fetch") == 2)
            person.run("result = 1")  # what was recorded before its end is on disk with that
            kill(person)
            os.kill(net, signal.SIGKILL)  # or it would still send what it was handed
    with place.up() as person:
        assert eventually(lambda: len(unknown(person)) == 1)
        assert outside.came["/post"] == 0
        settle(person, unknown(person)[0], False)
        assert eventually(lambda: outside.came["/post"] == 1)
        # It is sent now, and cut off again: what the person said was of the time before.
        kill(person)
    with place.up() as person:
        assert eventually(lambda: len(unknown(person)) == 1)
        settle(person, unknown(person)[0], True)
        assert end_of_when_over(person, run).result == '"happened"'
    assert outside.came["/post"] == 1


def end_of_when_over(person: Person, run: str) -> pb.Run:
    assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE, 30)
    return end_of(person, run)


def test_what_the_person_settled_is_gone_on_with_by_the_next_kernel(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, POSTS)
        outside.let("/go")
        assert eventually(lambda: outside.came["/post"] == 1)
        kill(person)
    with place.up() as person:
        assert eventually(lambda: len(unknown(person)) == 1)
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_WAITING)
        settle(person, unknown(person)[0], True)
        kill(person)
    with place.up() as person:
        assert end_of_when_over(person, run).result == '"happened"'
    assert outside.came["/post"] == 1


def test_a_run_that_waits_for_the_person_and_is_cancelled_asks_no_more(place: Place, outside: Gates) -> None:
    with place.up() as person:
        run = begin(person, outside, POSTS)
        outside.let("/go")
        assert eventually(lambda: outside.came["/post"] == 1)
        kill(person)
    with place.up() as person:
        assert eventually(lambda: len(unknown(person)) == 1)
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_WAITING)
        person.cancel(run)
        assert person.record(run).status == pb.RUN_STATUS_CANCELLED
        assert unknown(person) == []
