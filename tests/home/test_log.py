"""The kernel's log: a line for what happened, and no word, name or path that is not ours."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError

from agentos.home import log
from agentos.home.chain import commitment
from agentos.home.history import PromptAnswered, Record, RunBegan, RunEnded, SecretSet
from agentos.home.log import Log
from agentos.home.records import CallMade, CallSettled, Fault
from agentos.v1.control_pb2 import RunRequest

CANARY = "canary"
FAULT = Fault(1, CANARY, CANARY, CANARY)


def opened(path: Path | None) -> Log:
    return Log(path, "status{}".format, "code{}".format)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kernel.log"


@pytest.mark.parametrize(
    ("record", "event", "said"),
    [
        (
            RunBegan("r7", CANARY, CANARY, CANARY, CANARY, CANARY, (CANARY,), CANARY, 5), "run.began",
            {"run": "r7", "queued_us": 5},
        ),
        (
            CallMade("r7", 3, CANARY, CANARY, (), CANARY, 2, 9, fault=FAULT), "call",
            {"run": "r7", "seq": 3, "code": "code1"},
        ),
        (
            CallSettled("r7", 3, 8, CANARY, FAULT), "reply",
            {"run": "r7", "seq": 3, "took_us": 8, "released": False, "code": "code1"},
        ),
        (PromptAnswered("r7", "p2", CANARY, (), (CANARY,)), "answer", {"run": "r7", "prompt": "p2"}),
        (PromptAnswered("r7", "p2 canary", CANARY, (), (CANARY,)), "answer", {"run": "r7"}),
        (SecretSet(CANARY, CANARY, (CANARY,), CANARY, CANARY, 4), "secret.set", {}),
        (
            RunEnded("r7", 3, CANARY, CANARY, False, 4, 1, 6, 2, 9, FAULT, CANARY), "run.ended",
            {"run": "r7", "status": "status3", "calls": 4, "refused": 1, "cell_us": 6, "code": "code1"},
        ),
    ],
)  # fmt: skip
def test_of_a_record_only_numbers_and_our_ids_are_said(
    path: Path, record: Record, event: str, said: dict[str, object]
) -> None:
    told = opened(path)
    told.note(record)
    told.close()
    assert CANARY not in path.read_text()
    [line] = lines(path)
    assert line.pop("at_ms")
    assert line == {"event": event, **said}


def test_a_call_that_went_well_is_no_line(path: Path) -> None:
    told = opened(path)
    told.note(CallMade("r7", 3, "files.read", "{}", (), "", 1, 9))
    told.note(CallSettled("r7", 3, 8, "1"))
    told.close()
    assert path.read_text() == ""


def test_of_an_exception_the_lines_of_ours_are_said_and_not_its_words(path: Path) -> None:
    told = opened(path)
    try:
        commitment(CANARY, b"")  # type: ignore[arg-type]
    except TypeError as wrong:
        wrong.add_note(CANARY)
        told.fault(wrong)
    told.fault(None)
    told.close()
    assert CANARY not in path.read_text()
    assert str(Path.home()) not in path.read_text()
    first, second = lines(path)
    assert (first["event"], first["type"]) == ("kernel.fault", "TypeError")
    assert [str(each).partition(":")[0] for each in first["at"]] == ["home/chain.py"]  # type: ignore[attr-defined]
    assert (second["type"], second["at"]) == ("NoneType", [])


async def test_what_libraries_complain_about_is_said_without_their_words(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    told = opened(path)
    told.hear()
    asyncio.get_running_loop().call_exception_handler({"message": CANARY, "exception": ValueError(CANARY)})
    logging.getLogger("grpc").error(CANARY)
    told.close()
    assert logging.getLogger().handlers == []
    assert CANARY not in str(lines(path)) + capfd.readouterr().err
    assert [line["type"] for line in lines(path)] == ["ValueError", "NoneType"]


def test_what_somebody_sends_that_is_no_message_is_no_fault_of_the_kernels(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    told = opened(path)
    told.hear()
    try:
        RunRequest.FromString(b"\xff")
    except DecodeError:
        logging.getLogger("grpc").exception(CANARY)
    told.close()
    assert [line["event"] for line in lines(path)] == ["request.unreadable"]


def test_a_log_that_is_full_is_turned_and_the_oldest_goes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 200)
    told = opened(path)
    for number in range(40):
        told.say("tick", number=number)
    told.close()
    found = [path.with_name(f"kernel.log.{number}") for number in range(log.OLD, 0, -1)] + [path]
    assert sorted(path.parent.iterdir()) == sorted(found)
    assert max(each.stat().st_size for each in found) <= 200
    said = [line["number"] for each in found for line in lines(each)]
    assert said == list(range(40 - len(said), 40))


def test_it_goes_on_where_it_ended_and_is_the_persons_alone(path: Path) -> None:
    for number in range(2):
        told = opened(path)
        told.say("tick", number=number)
        told.close()
    assert [line["number"] for line in lines(path)] == [0, 1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_is_counted_and_nothing_fails(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))  # none is followed
    told = opened(path)
    told.say("tick")
    assert told.left_out == 1
    told.close()
    assert not path.with_name("elsewhere").exists()

    full = Log(Path("/dev/full"), str, str)
    full.say("tick")
    assert full.left_out == 1
    full.close()


def test_under_a_service_it_goes_to_the_services_journal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.beside(tmp_path / "head") == tmp_path / "kernel.log"
    at = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{at.st_dev}:{at.st_ino}")
    assert log.beside(tmp_path / "head") is None
    told = opened(None)
    told.say("tick")
    told.close()
    assert json.loads(capfd.readouterr().err)["event"] == "tick"
