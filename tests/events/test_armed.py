"""Programs that are armed: what comes starts them, with nobody there."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest

from agentos.v1 import control_pb2 as control
from agentos.v1 import events_pb2 as pb
from tests.events.conftest import APPEND, TELLS, Armer, killed
from tests.kernel.person import FOR_VERSION, NO, ONCE, error_of, eventually


def test_a_timer_starts_it_and_it_gets_the_event(armer: Armer) -> None:
    [trigger] = armer.arm('{ event = "timer.every", seconds = 1 }')
    first, second, *_ = map(json.loads, armer.saw(2))
    armer.disarm()
    assert first["event"] == "timer.every"
    assert first["id"] == f"{trigger}@{first['at']}"
    assert second["at"] - first["at"] >= 1000


def test_a_timer_goes_on_after_the_kernel_was_killed(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('{ event = "timer.every", seconds = 1 }')
        kill()
    with killed(home, tmp_path) as (armer, _):
        told = [json.loads(line)["id"] for line in armer.saw(2)]
        armer.disarm()
        assert len(set(told)) == len(told)


def test_an_event_that_was_accepted_starts_its_run_after_the_kernel_was_killed(home: Path, tmp_path: Path) -> None:
    """It is killed the moment it has said yes: between accept and delivery, or between delivery and the end."""
    sent: list[str] = []
    for _ in range(3):
        with killed(home, tmp_path) as (armer, kill):
            if not sent:
                armer.arm('"event.paid"')
            sent += [armer.send("paid", '{"n": 1}').id for _ in range(3)]
            kill()
    with killed(home, tmp_path) as (armer, _):
        armer.saw(len(sent), 60)
        assert eventually(lambda: not armer.armed().runs and not armer.armed().waiting)
        told = [json.loads(line) for line in armer.seen()]
        armer.disarm()
    assert [each["id"] for each in told] == sent
    assert {each["event"] for each in told} == {"event.paid"}
    assert [each["data"] for each in told] == [{"n": 1}] * len(sent)


def test_a_run_that_was_cut_off_in_its_middle_goes_on_and_is_not_begun_anew(home: Path, tmp_path: Path) -> None:
    waits = TELLS + "    import os, time\n    while not os.path.exists('go.log'): time.sleep(0.05)\n"
    waits += "    open('seen.log', 'a').write('done\\n')\n"
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('"event.paid"', waits, f'{APPEND}\n"files.stat" = {{ path = ["*.log"] }}', name="waits.py")
        armer.send("paid")
        armer.saw(1)
        [run] = armer.armed("waits.py").runs
        kill()
    (tmp_path / "go.log").touch()
    with killed(home, tmp_path) as (armer, _):
        assert armer.saw(2, 60)[1:] == ["done"]
        assert eventually(lambda: not armer.armed("waits.py").runs)
        assert armer.person.record(run).status == control.RUN_STATUS_DONE
        armer.disarm("waits.py")


def test_what_is_sent_twice_under_one_id_happens_once(armer: Armer) -> None:
    armer.arm('"event.paid"')
    first, second = armer.send("paid", event="paid-17"), armer.send("paid", event="paid-17")
    assert (first.duplicate, first.triggers, second.duplicate) == (False, 1, True)
    armer.send("paid", event="paid-18")
    assert [json.loads(line)["id"] for line in armer.saw(2)] == ["paid-17", "paid-18"]
    armer.disarm()


def test_a_call_outside_its_grants_waits_in_the_inbox_and_lets_the_next_event_pass(armer: Armer) -> None:
    asks = "def main(input):\n    open(input['data'], 'a').write('x\\n')\n"
    armer.arm('"event.paid"', asks, '"files.write" = [{ path = ["seen.log"] }, { path = ["b.log"], ask = "always" }]')
    armer.send("paid", '"b.log"')
    assert eventually(lambda: len(mine(armer)) == 1)
    armer.send("paid", '"seen.log"')
    armer.saw(1)
    [asked] = mine(armer)
    assert asked.lines[0].action == "files.append"
    armer.person.answer(asked, ONCE(asked) or [])
    assert eventually((armer.person.folder / "b.log").exists)
    armer.disarm()


def test_a_batch_is_one_run_that_gets_a_list(armer: Armer) -> None:
    armer.arm('{ event = "event.drip", batch = { count = 3, seconds = 60 } }')
    sent = [armer.send("drip", str(number)).id for number in range(3)]
    [told] = map(json.loads, armer.saw(1))
    assert [(each["id"], each["data"]) for each in told] == [*zip(sent, range(3), strict=True)]
    armer.disarm()


def test_what_was_refused_twice_is_not_asked_a_third_time_until_the_person_takes_that_back(armer: Armer) -> None:
    asks = "def main(input):\n    open(input['data'], 'a').write('x\\n')\n"
    grants = '"files.write" = [{ path = ["seen.log"] }, { path = ["b.log", "c.log"], ask = "always" }]'
    armer.arm('{ event = "event.torn", retries = 0 }', asks, grants)
    for count in (1, 2):
        refuse(armer, '"b.log"')
        assert eventually(lambda: len(armer.waiting().dead) == count)  # noqa: B023
    armer.send("torn", '"b.log"')
    assert eventually(lambda: len(armer.waiting().dead) == 3)
    assert not mine(armer)
    refuse(armer, '"c.log"')  # another thing is asked for as before
    [denied] = armer.person.grants(denied=True)
    assert (denied.action, list(denied.bounds[0].values)) == ("files.append", [str(armer.person.folder / "b.log")])
    armer.person.revoke(denied.id)
    armer.send("torn", '"b.log"')
    assert eventually(lambda: len(mine(armer)) == 1)
    armer.person.answer(mine(armer)[0], ONCE(mine(armer)[0]) or [])
    assert eventually((armer.person.folder / "b.log").exists)
    armer.disarm()


def refuse(armer: Armer, data: str) -> None:
    """An event whose run asks, and the person's no."""
    armer.send("torn", data)
    assert eventually(lambda: len(mine(armer)) == 1)
    [asked] = mine(armer)
    armer.person.answer(asked, NO(asked) or [])


def test_a_no_to_who_is_there_is_asked_again(armer: Armer) -> None:
    """Who sits before it may change their mind: it is the unattended program that is not to nag."""
    for _ in range(3):
        told = armer.person.run(
            "open('b.log', 'a').write('x')", '"files.write" = { path = ["b.log"], ask = "always" }', NO
        )
        assert len(told.prompts) >= 1
    assert not armer.person.grants(denied=True)


def mine(armer: Armer) -> list[control.Prompt]:
    """The questions of programs in this person's folder."""
    return [each for each in armer.person.inbox() if each.program.path.startswith(f"{armer.person.folder}/")]


def test_an_edited_program_does_nothing_by_itself_until_it_is_armed_anew(armer: Armer) -> None:
    armer.arm('"event.paid"')
    armed = armer.armed().digest
    (armer.person.folder / "armed.py").write_text("raise SystemExit('edited')\n")
    armer.send("paid")
    armer.saw(1)
    assert armer.armed().digest == armed
    armer.disarm()


def test_a_program_that_fails_is_tried_again_then_given_up_and_paused(armer: Armer) -> None:
    armer.arm('{ event = "event.paid", retries = 0 }', TELLS + "    raise ValueError('no')\n")
    for count in range(1, 6):
        armer.send("paid")
        assert eventually(lambda: len(armer.waiting().dead) == count)  # noqa: B023
    assert "failed 5 times in a row" in armer.armed().paused
    waits = armer.send("paid").id
    assert [each.id for each in armer.waiting().waiting] == [waits]
    assert armer.replay(armer.waiting().dead[0].id) == 1
    assert len(armer.seen()) == 5
    armer.switch(str(armer.person.folder / "armed.py"), True)
    armer.saw(7)
    armer.disarm()


def test_arming_wants_an_act_and_a_manifest_that_names_an_event(armer: Armer) -> None:
    request = armer.program('"event.paid"')
    request.confirmed = request.grant_manifest = False
    said = armer.events.Arm(request, metadata=armer.person.metadata)
    assert [line.action for line in said.prompt.lines] == ["files.write"]
    assert [each.event for each in said.program.triggers] == ["event.paid"]
    assert not said.triggers
    assert armer.send("paid").triggers == 0
    armer.person.answer(said.prompt, FOR_VERSION(said.prompt) or [])
    request.confirmed = True
    assert len(armer.events.Arm(request, metadata=armer.person.metadata).triggers) == 1
    assert armer.send("paid").triggers == 1
    armer.saw(1)
    armer.disarm()
    request.source.content = b"# /// script\n# [tool.agentos]\n# name = 'x'\n# ///\n"
    with pytest.raises(grpc.RpcError) as refused:
        armer.events.Arm(request, metadata=armer.person.metadata)
    assert "names no event" in error_of(refused.value).reason


def test_asking_what_arming_would_mean_arms_nothing_though_there_is_nothing_to_grant(armer: Armer) -> None:
    request = armer.program('"event.free"', "result = 1\n", "")
    request.confirmed = False
    said = armer.events.Arm(request, metadata=armer.person.metadata)
    assert [each.event for each in said.program.triggers] == ["event.free"]
    assert (len(said.prompt.lines), len(said.triggers)) == (0, 0)
    assert armer.send("free").triggers == 0


def test_nobody_arms_or_sends_without_the_credential(armer: Armer) -> None:
    with pytest.raises(grpc.RpcError) as arming:
        armer.events.Arm(armer.program('"event.paid"'))
    with pytest.raises(grpc.RpcError) as sending:
        armer.events.SendEvent(pb.SendEventRequest(name="paid"))
    assert arming.value.code() == sending.value.code() == grpc.StatusCode.UNAUTHENTICATED
