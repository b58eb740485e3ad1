"""A person at a real kernel that can be killed, who arms programs and sends events."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentos.v1 import events_pb2 as pb
from agentos.v1 import events_pb2_grpc
from tests.kernel.person import Person, Up, eventually, kernel_on, warm_home
from tests.kernel.test_killed_kernel import doomed

APPEND = '"files.write" = { path = ["*.log"] }'
# Says what it got, in a file that nobody but the test reads.
TELLS = """\
import json
def main(input):
    with open('seen.log', 'a') as out:
        out.write(json.dumps(input) + '\\n')
"""


@dataclass
class Armer:
    """A person who arms programs and sends events."""

    person: Person

    def __post_init__(self) -> None:
        self.events = events_pb2_grpc.EventsServiceStub(self.person.channel)

    def program(self, on: str, content: str = TELLS, grants: str = APPEND, name: str = "armed.py") -> pb.ArmRequest:
        """A request that arms it, and grants what it asks."""
        lines = ["/// script", "[tool.agentos]", f"on = [{on}]", "[tool.agentos.grants]" * bool(grants)]
        block = "".join(f"# {line}\n" for line in [*lines, *grants.splitlines(), "///"] if line)
        source = self.person.source(block + content, name=name)
        folder = str(self.person.folder)
        return pb.ArmRequest(
            source=source, start_folder=folder, home_folder=folder, confirmed=True, grant_manifest=bool(grants)
        )

    def call(self, method: str, request: object) -> object:
        return getattr(self.events, method)(request, metadata=self.person.metadata, timeout=30)

    def arm(self, on: str, content: str = TELLS, grants: str = APPEND, name: str = "armed.py") -> list[str]:
        """Arm it; the ids of its triggers."""
        said = self.events.Arm(self.program(on, content, grants, name), metadata=self.person.metadata)
        return [each.id for each in said.triggers]

    def disarm(self, name: str = "armed.py") -> pb.DisarmResponse:
        request = pb.DisarmRequest(program=str(self.person.folder / name))
        return self.events.Disarm(request, metadata=self.person.metadata)

    def send(self, name: str, data: str = "", event: str = "") -> pb.SendEventResponse:
        request = pb.SendEventRequest(name=name, data=data, id=event)
        return self.events.SendEvent(request, metadata=self.person.metadata)

    def armed(self, name: str = "armed.py") -> pb.ArmedProgram:
        path = str(self.person.folder / name)
        found = self.events.ListArmed(pb.ListArmedRequest(), metadata=self.person.metadata).programs
        return next(each for each in found if each.path == path)

    def waiting(self) -> pb.ListEventsResponse:
        """What waits and what was given up, of the programs in this folder."""
        found = self.events.ListEvents(pb.ListEventsRequest(), metadata=self.person.metadata)
        mine = pb.ListEventsResponse()
        mine.waiting.extend(each for each in found.waiting if each.path.startswith(f"{self.person.folder}/"))
        mine.dead.extend(each for each in found.dead if each.path.startswith(f"{self.person.folder}/"))
        return mine

    def switch(self, name: str, on: bool) -> None:
        self.events.Switch(pb.SwitchRequest(name=name, on=on), metadata=self.person.metadata)

    def fire(self, trigger: str) -> str:
        return self.events.Fire(pb.FireRequest(trigger=trigger), metadata=self.person.metadata).event

    def replay(self, event: str) -> int:
        return self.events.ReplayEvent(pb.ReplayEventRequest(id=event), metadata=self.person.metadata).triggers

    def seen(self) -> list[str]:
        """What programs told, line by line; a line that is still being written is not one yet."""
        file = self.person.folder / "seen.log"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def saw(self, count: int, within_s: float = 20.0) -> list[str]:
        """What programs told, once it is so much."""
        assert eventually(lambda: len(self.seen()) >= count, within_s), self.seen()
        return self.seen()


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("events")
    with kernel_on(warm_home(place), place / "log") as served:
        yield served


@pytest.fixture
def armer(up: Up, tmp_path: Path) -> Iterator[Armer]:
    person = Person(up.socket, up.credential, tmp_path.resolve())
    yield Armer(person)
    person.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of kernels that are killed."""
    return warm_home(tmp_path_factory.mktemp("killed"))


@contextmanager
def killed(home: Path, folder: Path) -> Iterator[tuple[Armer, Callable[[], None]]]:
    """A kernel on this home, and what kills it."""
    with doomed(home, folder) as (person, pid):
        yield Armer(person), lambda: os.kill(pid, 9)
