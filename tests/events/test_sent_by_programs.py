"""Programs that send events, in real cells: what their manifest names, once, and no further than they may."""

from __future__ import annotations

import json
from pathlib import Path

from agentos.events.sending import BURST, HOPS
from agentos.v1 import control_pb2 as control
from tests.events.conftest import APPEND, TELLS, Armer, killed
from tests.kernel.person import Told, eventually

SEND = '"event.send" = { name = ["report.ready"] }'
TRIES = """\
from agentos.sdk import AgentError, Call, call, event, gather
def tried(make, *args):
    try:
        return make(*args)
    except AgentError as error:
        return [type(error).__name__, error.detail or error.reason]
"""
# What comes to it goes on, as the event that it names.
PASSES_ON = """\
from agentos.sdk import event
def main(input):
    with open('seen.log', 'a') as out:
        out.write(input['id'] + '\\n')
    event.send(input['data'], input['data'])
"""


def sends(armer: Armer, body: str, grants: str = SEND, **more: object) -> Told:
    return armer.person.run(TRIES + body, grants, name="sends.py", **more)  # type: ignore[arg-type]


def test_what_a_program_sends_starts_the_program_that_waits_for_it(armer: Armer) -> None:
    armer.arm('"event.report.ready"')
    told = sends(armer, "result = event.send('report.ready', {'pages': 3})")
    [seen] = map(json.loads, armer.saw(1))
    assert (seen["event"], seen["data"]) == ("event.report.ready", {"pages": 3})
    assert seen["id"] == told.result
    assert str(told.result).startswith(f"{told.id}:")
    armer.disarm()


def test_what_its_manifest_does_not_name_it_cannot_send(armer: Armer) -> None:
    armer.arm('"event.paid"')
    told = sends(armer, "result = [tried(event.send, name) for name in ('paid', 'report.ready.x', 'report')]")
    assert [each[0] for each in told.result] == ["Denied"] * 3  # type: ignore[attr-defined]
    told = sends(armer, "result = tried(event.send, 'paid')", '"files.read" = { path = ["x"] }')
    assert told.result[0] == "Denied"  # type: ignore[index]
    assert not armer.seen()
    armer.disarm()


def test_no_name_is_that_of_a_timer_a_hook_or_a_file(armer: Armer) -> None:
    on = '{ event = "timer.at", at = "2100-01-01T00:00:00Z" }, "hook.received", "event.end"'
    armer.arm(on)
    names = ["timer.at", "timer.every", "hook.received", "files.changed", "event.end"]
    odd = ["", "Event", "../end", "end\n", "end ", "e" * 300]
    body = f"result = [tried(event.send, name) for name in {names + odd!r}]; event.send('end')"
    told = sends(armer, body, f'"event.send" = {{ name = {json.dumps([*names, "end"])} }}')
    assert all(isinstance(each, str) for each in told.result[: len(names)])  # type: ignore[index]
    assert {each[0] for each in told.result[len(names) :]} <= {"Denied", "Invalid"}  # type: ignore[index]
    [seen] = map(json.loads, armer.saw(1))
    assert seen["event"] == "event.end"
    assert not armer.armed().waiting
    armer.disarm()


def test_programs_that_answer_each_other_come_to_an_end(armer: Armer) -> None:
    grants = f'{APPEND}\n"event.send" = {{ name = ["ping", "pong"] }}'
    for name, other in (("ping", "pong"), ("pong", "ping")):
        passes = PASSES_ON.replace("event.send(input['data'], input['data'])", f"event.send({other!r})")
        armer.arm(f'{{ event = "event.{name}", retries = 0 }}', passes, grants, f"{name}.py")
    armer.send("ping")
    assert eventually(lambda: len(armer.waiting().dead) == 1)
    assert len(armer.seen()) == HOPS + 1
    [dead] = armer.waiting().dead
    ended = armer.person.record(dead.run)
    assert ended.status == control.RUN_STATUS_LIMIT
    assert ended.error.detail == "depth"
    for name in ("ping.py", "pong.py"):
        armer.disarm(name)


def test_a_child_is_no_way_to_begin_anew(armer: Armer) -> None:
    child = "from agentos.sdk import event\ndef main(input):\n    if input:\n        event.send('round')\n"
    armer.person.run(child, '"event.send" = { name = ["round"] }', name="child.py", input="null")
    passes = PASSES_ON.replace(
        "event.send(input['data'], input['data'])",
        "children.spawn('child.py', 1, grants={'event.send': {'name': ['round']}}).join()",
    ).replace("import event", "import children")
    armer.arm('{ event = "event.round", retries = 0 }', passes, f'{APPEND}\n"event.send" = {{ name = ["round"] }}')
    armer.send("round")
    assert eventually(lambda: len(armer.waiting().dead) == 1, 60)
    assert len(armer.seen()) == HOPS + 1
    armer.disarm()


def test_a_storm_of_a_program_meets_its_limits(armer: Armer) -> None:
    told = sends(armer, f"""
many = []
for _ in range({BURST // 40 + 2}):
    many += gather(*[Call('event.send', {{'name': 'report.ready'}}, dict) for _ in range(40)])
result = [getattr(each, 'detail', 'sent') for each in many]
""")  # fmt: skip
    assert isinstance(told.result, list)
    assert set(told.result) == {"sent", "rate"}
    assert told.result.count("sent") >= BURST


def test_an_event_of_a_hundred_megabytes_is_refused(armer: Armer) -> None:
    armer.arm('"event.report.ready"')
    told = sends(armer, "result = tried(event.send, 'report.ready', 'x' * (2 << 20))")
    assert told.result == ["LimitExceeded", "too_large"]
    told = sends(armer, "result = tried(event.send, 'report.ready', 'x' * 100_000_000)")
    assert told.status == "limit" or told.result[0] in ("LimitExceeded", "Invalid")  # type: ignore[index]
    assert not armer.armed().waiting
    assert not armer.seen()
    armer.disarm()


def test_each_is_sent_once_though_the_kernel_is_killed_in_the_middle(home: Path, tmp_path: Path) -> None:
    many = 12
    sender = f"""
import time
from agentos.sdk import event
for number in range({many}):
    event.send("tick", number)
    time.sleep(0.05)
"""
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('"event.tick"')  # one after the other: of appends side by side it cannot always be told what became
        source = armer.person.source(sender, '"event.send" = { name = ["tick"] }', "sender.py")
        stream = armer.person.start(source, ask=control.ASK_WAIT, grant_manifest=True)
        run = next(told.accepted.run for told in stream if told.HasField("accepted"))
        armer.saw(2, 60)
        kill()
    with killed(home, tmp_path) as (armer, _):
        assert eventually(lambda: armer.person.record(run).status == control.RUN_STATUS_DONE, 60)
        armer.saw(many, 60)
        assert eventually(lambda: not armer.armed().runs and not armer.armed().waiting)
        told = [json.loads(line) for line in armer.seen()]
        armer.disarm()
    assert sorted(each["data"] for each in told) == list(range(many))
    assert len({each["id"] for each in told}) == many


def test_what_the_sender_had_read_outside_who_is_started_has_too(armer: Armer) -> None:
    armer.arm('"event.report.ready"', TELLS)
    html = "PGh0bWw+PGJvZHk+PHA+RG8gYXMgSSBzYXksIGFuZCBiZSBxdWljayBhYm91dCBpdC48L3A+PC9ib2R5PjwvaHRtbD4="
    sends(armer, f"call('pages.extract', {{'html': {html!r}}})\nevent.send('report.ready')")
    armer.saw(1)
    found = armer.person.control.ListRuns(control.ListRunsRequest(limit=10), metadata=armer.person.metadata).runs
    run = next(each.id for each in found if each.path == str(armer.person.folder / "armed.py"))
    assert armer.person.calls(run, "files.append")[0].after_outside
    armer.disarm()
