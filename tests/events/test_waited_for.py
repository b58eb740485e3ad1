"""Runs that wait for an event in their middle, in real cells: each event once, whatever is cut off when."""

from __future__ import annotations

import json
from pathlib import Path

from agentos.events.hearing import MOST, MOST_NAMES
from agentos.sdk.testing import Kit
from agentos.v1 import control_pb2 as control
from tests.events.conftest import APPEND, Armer, killed
from tests.kernel.person import Told, eventually

WAIT = '"event.wait_for" = { name = ["paid", "shipped"] }'
SEND = '"event.send" = { name = ["paid", "shipped", "other"] }'
TRIES = """\
from agentos.sdk import AgentError, Call, call, event, gather
def tried(make, *args, **more):
    try:
        return make(*args, **more)
    except AgentError as error:
        return [type(error).__name__, error.detail or error.reason]
"""
# Armed, so that nobody follows it: it leaves memory while it waits.
WAITS = """\
import json
from agentos.sdk import event
def tell(what):
    with open('seen.log', 'a') as out:
        out.write(json.dumps(what) + '\\n')
def main(input):
    tell('begun')
    for _ in range(2):
        tell(event.wait_for('paid', where=input['data']))
"""


def waits(armer: Armer, body: str, grants: str = f"{WAIT}\n{SEND}", **more: object) -> Told:
    return armer.person.run(TRIES + body, grants, name="waits.py", **more)  # type: ignore[arg-type]


def runs(armer: Armer, name: str = "armed.py") -> list[control.Run]:
    found = armer.person.control.ListRuns(control.ListRunsRequest(limit=50), metadata=armer.person.metadata).runs
    return [each for each in found if each.path == str(armer.person.folder / name)]


def away(armer: Armer, name: str = "armed.py") -> bool:
    return any(each.status == control.RUN_STATUS_WAITING and each.waits_for for each in runs(armer, name))


def test_a_run_gets_what_was_sent_while_it_waited_out_of_memory(armer: Armer) -> None:
    armer.arm('"event.go"', WAITS, f"{APPEND}\n{WAIT}")
    armer.send("go", "{}")
    assert eventually(lambda: away(armer))
    [shown] = runs(armer)
    assert shown.waits_for == "event.paid"
    assert armer.send("paid", '{"total": 40}').runs == 1
    armer.saw(2)
    assert eventually(lambda: away(armer))
    armer.send("paid", '{"total": 41}')
    told = [json.loads(line) for line in armer.saw(3)]
    assert told[0] == "begun"
    assert [each["data"]["total"] for each in told[1:]] == [40, 41]
    assert {each["event"] for each in told[1:]} == {"event.paid"}
    assert eventually(lambda: runs(armer)[0].status == control.RUN_STATUS_DONE)
    armer.disarm()


def test_what_is_sent_before_it_asks_is_kept_for_it_and_given_once_and_in_order(armer: Armer) -> None:
    told = waits(armer, """
for number in range(3):
    event.send('paid', number)
event.send('other', 'nobody hears this')
result = [event.wait_for('paid', timeout=0) for _ in range(4)]
""")  # fmt: skip
    assert [each and each["data"] for each in told.result] == [0, 1, 2, None]  # type: ignore[attr-defined]


def test_only_what_fits_is_taken_and_the_rest_is_kept(armer: Armer) -> None:
    told = waits(armer, """
for order in (1, 2, 3, '2', 2.0, True):
    event.send('paid', {'order': order, 'more': [1]})
event.send('paid', ['order'])
def orders(**where):
    return [each and each['data'] for each in iter(lambda: event.wait_for('paid', timeout=0, **where), None)]
result = [orders(where={'order': 2}), orders(where={'order': 2}), orders(where={'order': 3, 'more': [1]}), orders()]
""")  # fmt: skip
    assert isinstance(told.result, list)
    first, again, both, rest = told.result
    assert [each["order"] for each in first] == [2]
    assert again == []
    assert [each["order"] for each in both] == [3]
    assert [each["order"] for each in rest if isinstance(each, dict)] == [1, "2", 2.0, True]
    assert rest[-1] == ["order"]


def test_the_time_passes_where_nothing_comes(armer: Armer) -> None:
    told = waits(
        armer, "result = [event.wait_for('paid', timeout=0.05), event.wait_for('paid', where={'a': 1}, timeout=0)]"
    )
    assert told.result == [None, None]
    armer.arm('"event.go"', WAITS.replace("where=input['data']", "timeout=3"), f"{APPEND}\n{WAIT}")
    armer.send("go")
    assert eventually(lambda: away(armer))
    assert [json.loads(line) for line in armer.saw(3)] == ["begun", None, None]
    armer.disarm()


def test_several_are_waited_for_side_by_side(armer: Armer) -> None:
    told = waits(armer, """
waiting = [Call('event.wait_for', {'name': name, 'timeout_ms': 9000}, dict) for name in ('paid', 'shipped', 'paid')]
sending = [Call('event.send', {'name': name, 'data': '7'}, dict) for name in ('paid', 'paid', 'shipped')]
came = gather(*waiting, *sending)[:3]
result = [[each['came'] for each in came], len({each['id'] for each in came})]
""")  # fmt: skip
    assert told.result == [[True, True, True], 3]


def test_an_event_is_for_all_who_hear_it_and_for_the_triggers_besides(armer: Armer) -> None:
    for name in ("one.py", "two.py"):
        armer.arm('"event.go"', WAITS.replace("range(2)", "range(1)"), f"{APPEND}\n{WAIT}", name)
    armer.arm('"event.paid"')
    armer.send("go", "{}")
    assert eventually(lambda: away(armer, "one.py") and away(armer, "two.py"))
    said = armer.send("paid", '{"total": 1}')
    assert (said.triggers, said.runs) == (1, 2)
    told = [json.loads(line) for line in armer.saw(5)]
    assert [each["data"] for each in told if each != "begun"] == [{"total": 1}] * 3
    for name in ("one.py", "two.py", "armed.py"):
        armer.disarm(name)


def test_what_its_manifest_does_not_name_it_cannot_hear(armer: Armer) -> None:
    names = ["other", "paid.x", "event.paid", "timer.every", "hook.received"]
    told = waits(armer, f"result = [tried(event.wait_for, name, timeout=0) for name in {names!r}]")
    assert [each[0] for each in told.result] == ["Denied"] * len(names)  # type: ignore[attr-defined]
    told = waits(armer, "result = tried(event.wait_for, 'paid', timeout=0)", '"files.read" = { path = ["x"] }')
    assert told.result[0] == "Denied"  # type: ignore[index]


def test_a_wait_that_makes_no_sense_is_refused(armer: Armer) -> None:
    told = waits(armer, """
def raw(**args):
    return tried(call, 'event.wait_for', {'name': 'paid', **args})
result = [
    raw(timeout_ms=-1), raw(timeout_ms=366 * 86_400_000 + 1), raw(where='[1]'), raw(where='{'), raw(where='"a"'),
    raw(where='{"a": ' + '[' * 3000 + ']' * 3000 + '}'), raw(where='{"a": "' + 'x' * 5000 + '"}'),
    raw(where='{' + ','.join(f'"{n}": 1' for n in range(17)) + '}'),
    tried(event.wait_for, 'paid', timeout=float('nan')), tried(event.wait_for, 'paid', timeout=1e9),
]
""")  # fmt: skip
    assert {each[0] for each in told.result} == {"Invalid"}  # type: ignore[attr-defined]


def test_of_a_run_that_takes_nothing_the_oldest_go(armer: Armer) -> None:
    counts = (
        "event.wait_for('shipped')\nresult = [e['data'] for e in iter(lambda: event.wait_for('paid', timeout=0), None)]"
    )
    source = armer.person.source(TRIES + counts, WAIT, "waits.py")
    stream = armer.person.start(source, ask=control.ASK_DENY, grant_manifest=True)
    told = Told()
    while told.hear(next(stream)) != "accepted":
        pass
    assert eventually(lambda: armer.send("other").runs == 0 and armer.send("paid", "0").runs == 1)
    for number in range(1, MOST + 5):
        armer.send("paid", str(number))
    armer.send("shipped")
    taken = armer.person.follow(stream, told=told).result
    assert taken == list(range(6, MOST + 5))  # and one that says to go on


def test_a_run_hears_so_many_names_at_most(armer: Armer) -> None:
    names = [f"n{number}" for number in range(MOST_NAMES + 1)]
    told = waits(
        armer, f"result = [tried(event.wait_for, name, timeout=0) for name in {names!r}]",
        f'"event.wait_for" = {{ name = {json.dumps(names)} }}',
    )  # fmt: skip
    assert [each for each in told.result if each] == [["LimitExceeded", "names"]]  # type: ignore[attr-defined]


def test_a_run_waits_through_the_end_of_its_kernel(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('"event.go"', WAITS, f"{APPEND}\n{WAIT}")
        armer.send("go", '{"order": 7}')
        assert eventually(lambda: away(armer))
        armer.send("paid", '{"order": 8}')
        kill()
    with killed(home, tmp_path) as (armer, kill):
        assert eventually(lambda: away(armer))
        assert armer.send("paid", '{"order": 7, "at": 1}').runs == 1
        kill()  # it is on disk, and nobody can say how far the run came
    with killed(home, tmp_path) as (armer, kill):
        assert len(armer.saw(2, 60)) == 2
        assert eventually(lambda: away(armer), 60)
        kill()
    with killed(home, tmp_path) as (armer, _):
        armer.send("paid", '{"order": 7, "at": 2}')
        told = [json.loads(line) for line in armer.saw(3, 60)]
        assert eventually(lambda: runs(armer)[0].status == control.RUN_STATUS_DONE)
        armer.disarm()
    assert [each["data"]["at"] for each in told[1:]] == [1, 2]


def test_what_who_sent_it_had_read_outside_who_hears_it_has_too(armer: Armer) -> None:
    armer.arm('"event.go"', WAITS, f"{APPEND}\n{WAIT}")
    armer.send("go", "{}")
    assert eventually(lambda: away(armer))
    html = "PGh0bWw+PGJvZHk+PHA+RG8gYXMgSSBzYXksIGFuZCBiZSBxdWljayBhYm91dCBpdC48L3A+PC9ib2R5PjwvaHRtbD4="
    waits(armer, f"call('pages.extract', {{'html': {html!r}}})\nevent.send('paid')")
    armer.saw(2)
    [run] = runs(armer)
    appended = armer.person.calls(run.id, "files.append")
    assert [each.after_outside for each in appended] == [False, True]
    armer.person.cancel(run.id)
    armer.disarm()


def test_the_kit_says_what_the_kernel_says(armer: Armer) -> None:
    program = TRIES + """
for order in (1, 2, '2'):
    event.send('paid', {'order': order})
def main(input):
    asked = [{'where': {'order': 2}}, {'where': {'order': 3}}, {}, {}, {}, {'where': 'no'}, {'timeout_ms': -1}]
    told = []
    for each in asked:
        each = {'name': 'paid', 'timeout_ms': 1} | each
        if isinstance(each.get('where'), dict):
            each['where'] = json.dumps(each['where'])
        said = tried(call, 'event.wait_for', each)
        told.append(said if isinstance(said, list) else [said.get('came', False), said.get('data')])
    return told
"""  # fmt: skip
    program = "import json\n" + program
    file = armer.person.folder / "both.py"
    file.write_bytes(armer.person.source(program, f"{WAIT}\n{SEND}").content)
    tried = Kit.under_manifest(file, start=str(armer.person.folder)).run(file)
    assert armer.person.run(program, f"{WAIT}\n{SEND}", input="null").result == tried.result
