"""No record is without an end: what would make one too large is refused, typed, before anything is done or recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest

from agentos.home import history
from agentos.home.records import Bounds, CallMade, Fault
from agentos.home.writer import MAX_RECORD
from agentos.kernel.call import Call, Failed, redacted
from agentos.kernel.cells.frames import MAX_BODY
from agentos.kernel.cells.servers import Servers
from agentos.kernel.reach import MAX_VALUE, Reach
from agentos.kernel.secrets import Secrets
from agentos.manifest.limits import RANGES
from agentos.manifest.rules import Catalog
from agentos.runs.generations import MAX_STATE
from agentos.runs.intake import MAX_ARGUMENTS, MAX_INPUT
from agentos.runs.outcome import MAX_RESULT
from agentos.v1 import capability_pb2, error_pb2, files_pb2
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import call
from tests.kernel.person import Person, error_of

ECHO = "import sys\nresult = len(''.join(sys.argv[1:]))"


def refused(person: Person, **more: object) -> error_pb2.Error:
    """Start a run that is not to be taken in; it leaves nothing behind."""
    path = more.pop("path", "")
    request = person.request(person.source(ECHO), ask=pb.ASK_DENY, **more)
    if path:
        request.source.path = str(path)
    before = person.status().runs_active
    with pytest.raises(grpc.RpcError) as told:
        list(person.control.Run(request, metadata=person.metadata, timeout=60))
    assert person.status().runs_active == before
    return error_of(told.value)


@pytest.mark.parametrize(
    "more",
    [
        {"arguments": ["x" * (MAX_ARGUMENTS + 1)]}, {"arguments": [""] * (MAX_ARGUMENTS // 8 + 1)},
        {"arguments": ["é" * (MAX_ARGUMENTS // 2)]}, {"input": '"' + "é" * (MAX_INPUT // 2) + '"'},
        {"path": "/" + "x" * 4095}, {"start": "/" + "x" * 4095},
    ],
    ids=["long argument", "many arguments", "two bytes a letter", "input", "path", "folder"],
)  # fmt: skip
def test_what_a_run_is_started_with_has_an_end(person: Person, more: dict[str, object]) -> None:
    start = more.pop("start", "")
    if start:
        person.folder = Path(str(start))
    error = refused(person, **more)
    assert (error.code, error.detail) == (error_pb2.CODE_LIMIT, "too_large")
    assert error.hint


def test_what_is_just_small_enough_is_taken_and_recorded(person: Person) -> None:
    told = person.run(ECHO, arguments=["x" * (MAX_ARGUMENTS - 8)])
    assert told.status == "done"


def test_a_typed_line_has_an_end(person: Person) -> None:
    stream = person.start(person.source("import time\ntime.sleep(60)"))
    run = next(stream).accepted.run
    with pytest.raises(grpc.RpcError) as told:
        person.type(run, "x" * (64 << 10) + "y")
    assert error_of(told.value).code == error_pb2.CODE_LIMIT
    person.type(run, "x" * (64 << 10))
    person.cancel(run)
    assert person.follow(stream).status == "cancelled"


class Generous(Servers):
    """A server that answers with so many bytes."""

    def __init__(self, size: int) -> None:
        self.raw = files_pb2.FilesReadResponse(data=bytes(size)).SerializeToString()

    async def allow(self, capability: str, roots: Mapping[str, str]) -> None: ...

    async def call(self, capability: str, method: str, request: bytes, context: capability_pb2.CallContext) -> bytes:
        return self.raw


class NoSecrets(Secrets):
    def __init__(self) -> None: ...

    def of(self, call: Call, bounds: Bounds) -> list[capability_pb2.Secret]:
        return []


async def test_a_reply_that_no_guest_could_get_is_a_limit_and_its_use_stays(catalog: Catalog) -> None:
    asked = call(catalog, "files.read", path="notes/a")
    fits, more = Generous(MAX_VALUE // 2), Generous(MAX_VALUE * 7 // 8)
    assert await Reach(fits, NoSecrets()).call(asked, (), "", 0) == fits.raw
    with pytest.raises(Failed) as told:
        await Reach(more, NoSecrets()).call(asked, (), "", 0)
    assert (told.value.fault.code, told.value.fault.detail) == (error_pb2.CODE_LIMIT, "too_large")
    assert not told.value.released


def test_arguments_do_not_grow_on_their_way_into_the_record() -> None:
    """What came in a frame fits into a record: a letter is written as it is, and not as six."""
    request = files_pb2.FilesWriteRequest(path="/x", text="é" * 1000)
    assert len(redacted(request, ()).encode()) < 2200


def test_what_a_guest_can_put_into_a_call_fits_into_a_record() -> None:
    made = CallMade("r1", 1, "files.write", "x" * MAX_BODY, (("path", "/" + "x" * 4095),) * 64, "d" * 64, 1, 0)
    assert len(history.entry(made)[2]) < MAX_RECORD


def test_the_end_of_a_run_fits_into_a_record_whatever_its_limits_are() -> None:
    """All that it may hold at once, of letters of four bytes where they are counted as letters."""
    output = RANGES["output"].most
    words = Fault(1, "\U0001f989" * 2000, "\U0001f989" * 2000, "\U0001f989" * 2000)
    ended = history.RunEnded(
        "r1", 2, "x" * MAX_RESULT, "x" * output, True, 1, 1, 1, 1, 1, words, "\U0001f989" * 65_536,
    )  # fmt: skip
    assert len(history.entry(ended)[2]) < MAX_RECORD
    continued = history.RunContinued("r1", 2, 1, "x" * MAX_STATE, 1, "x" * output, outside=("x" * 253,) * 1000)
    assert len(history.entry(continued)[2]) < MAX_RECORD
