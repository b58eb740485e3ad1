"""A capability server in an attacker's hands, called by a guest through the real kernel: it reaches nobody, what it was
called for is recorded, and what it says is shown as text."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.authority.letters import REPOSITORY
from tests.kernel.person import Person, Up

SHELF = '"shelf.get" = { name = [NAMES] }'
TAKE = """
from agentos.sdk import AgentError, call
def got(name):
    try:
        return call("shelf.get", {"name": name})["text"]
    except AgentError as error:
        return [type(error).__name__, error.reason, error.hint, error.detail]
result = [got(name) for name in NAMES]
"""


@pytest.fixture(scope="module")
def shelf(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the capability, registered with the kernel."""
    folder = tmp_path_factory.mktemp("shelf")
    page = REPOSITORY / "docs" / "capability"
    for name in ("capability.toml", "shelf.binpb", "shelf_pb2.py"):
        shutil.copy(page / name, folder / name)
    shutil.copy(Path(__file__).with_name("taken.py"), folder / "shelf.py")
    person = Person(up.socket, up.credential, folder)
    person.control.AddCapability(pb.AddCapabilityRequest(folder=str(folder)), metadata=person.metadata)
    yield folder
    person.control.RemoveCapability(pb.RemoveCapabilityRequest(name="shelf"), metadata=person.metadata)
    person.close()


def taken(person: Person, *names: str) -> tuple[list[object], list[pb.Call]]:
    """What a guest gets that asks for these, and the record of its calls."""
    quoted = ", ".join(f'"{name}"' for name in names)
    told = person.run(TAKE.replace("NAMES", f"[{quoted}]"), SHELF.replace("NAMES", quoted))
    assert isinstance(told.result, list)
    return told.result, person.calls(told.id, "shelf.get")


def test_it_reaches_nobody_and_each_call_is_recorded(person: Person, up: Up, shelf: Path) -> None:
    person.run("open('a', 'w').write('x')", '"files.write" = { path = ["**"] }')  # so that there is another server
    others = [str(place) for place in (up.home / "run").glob("files-*/s")]
    assert others
    (person.folder / "mine").write_text("mine")
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0agentos-test-taken")
        abstract.listen()
        names = [
            "dns 127.0.0.1", "dns 8.8.8.8", "resolve secret.example.com", f"dial {up.socket}", f"dial {others[0]}",
            "dial_abstract agentos-test-taken", f"open_file {up.home}/run/credential",
            f"open_file {up.home}/agentos.db", f"open_file {person.folder}/mine", f"list_folder {up.home}",
            "open_file /etc/passwd", f"trace {up.pid}", f"end {up.pid}",
        ]  # fmt: skip
        results, calls = taken(person, *names)
    assert [result for result in results if not str(result).startswith("refused")] == []
    assert [call.summary for call in calls] == [f"take down {name}" for name in names]
    assert all(call.grant and call.digest for call in calls)
    assert person.status().pid == up.pid


def test_what_it_says_of_itself_is_no_answer_of_the_kernel(person: Person, shelf: Path) -> None:
    results, calls = taken(person, "lie", "answer ok")
    assert isinstance(results[0], list)
    assert results[0][0] == "Unavailable"
    assert results[1] == "ok"
    assert [call.error.code for call in calls] == [error_pb2.CODE_UNAVAILABLE, error_pb2.CODE_UNSPECIFIED]
    assert person.inbox() == []
    assert person.grants(all=True)[0].state == pb.GRANT_STATE_LIVE


def test_what_it_raises_tells_nothing_of_the_host(person: Person, shelf: Path) -> None:
    told = person.run(
        "from agentos.sdk import call\ntry: call('shelf.put', {'name': 'a', 'text': 'b'})\n"
        "except Exception as error: result = [str(error)]",
        '"shelf.put" = { name = ["a"], bytes = 10 }',
    )
    assert "passwd" not in str(told.result)


def test_what_it_writes_fills_neither_memory_nor_disk(person: Person, up: Up, shelf: Path) -> None:
    before = sum(place.stat().st_size for place in up.home.rglob("*") if place.is_file())
    names = [f"drown {(8 << 20) + number}" for number in range(8)]
    results, _ = taken(person, *names)
    assert results == ["refused None"] * 8
    after = sum(place.stat().st_size for place in up.home.rglob("*") if place.is_file())
    assert after - before < 4 << 20
