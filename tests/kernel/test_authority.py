"""Authority through the real path: a person, a kernel, programs in cells, a files server."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import grpc
import pytest

from agentos.runs.desk import MAX_OPEN
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.kernel.gates import gates
from tests.kernel.person import (
    FOR_RUN,
    FOR_VERSION,
    NEVER,
    NO,
    ONCE,
    Person,
    Policy,
    Told,
    error_of,
    eventually,
    nobody,
)

READ = '"files.read" = { path = ["**"] }'
WRITE = '"files.write" = { path = ["**"] }'
ALWAYS = '"files.read" = { path = ["**"], ask = "always" }'
FIFTY = """
from agentos.sdk import files, gather
def kind(reply): return type(reply).__name__
result = [kind(each) for each in gather(*[files.read.call("a.txt") for _ in range(50)])]
"""
TRY = """
def attempt(what):
    try:
        what()
    except Exception as refused:
        return "refused" if isinstance(refused, PermissionError) else repr(refused)
    return "allowed"
"""


@pytest.fixture(autouse=True)
def _a_file(person: Person) -> None:
    (person.folder / "a.txt").write_text("a")


# ---- one use, and fifty calls


def test_one_use_is_one_call_however_many_slots_ask_for_it(person: Person) -> None:
    told = person.run(FIFTY, policy=lambda prompt: [pb.Decision(number=1, choice=pb.CHOICE_ONCE)])
    assert isinstance(told.result, list)
    assert sorted(told.result) == ["Denied"] * 49 + ["ReadResponse"]
    assert len(told.prompts) == 1
    assert [grant.state for grant in person.grants(all=True)] == [pb.GRANT_STATE_USED]
    allowed = [call for call in person.calls(told.id) if call.decision == pb.CALL_DECISION_ALLOWED]
    assert len(allowed) == 1


def test_a_once_is_no_good_in_the_next_run(person: Person) -> None:
    source = "result = open('a.txt').read()"
    assert person.run(source, ALWAYS, ONCE).result == "a"
    assert person.run(source, ALWAYS, NO).status == "refused"


def test_a_once_is_asked_again_for_the_same_call(person: Person) -> None:
    told = person.run("for _ in range(3): open('a.txt').read()", ALWAYS, ONCE)
    assert told.status == "done"
    assert len(told.prompts) == len(person.calls(told.id, "files.read"))


def test_an_answer_cannot_be_played_again(person: Person) -> None:
    again: list[grpc.StatusCode] = []

    def twice(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "prompt":
            with pytest.raises(grpc.RpcError) as refused:
                person.answer(event.prompt, ONCE(event.prompt) or ())
            again.append(refused.value.code())

    stream = person.start(person.source("result = open('a.txt').read()"))
    assert person.follow(stream, ONCE, on=twice).result == "a"
    assert again == [grpc.StatusCode.NOT_FOUND]


def test_an_answer_to_something_else_is_refused_and_leaves_the_question(person: Person) -> None:
    def wrong(prompt: pb.Prompt) -> Iterable[pb.Decision]:
        with pytest.raises(grpc.RpcError) as refused:
            person.answer(prompt, ONCE(prompt) or (), digest="0" * 64)
        assert error_of(refused.value).code == error_pb2.CODE_INVALID
        return ONCE(prompt) or ()

    assert person.run("result = open('a.txt').read()", policy=wrong).result == "a"


# ---- no, never


def test_no_is_a_no_for_the_run_and_asked_again_in_the_next(person: Person) -> None:
    source = TRY + "result = [attempt(lambda: open('a.txt').read()) for _ in range(3)]"
    told = person.run(source, policy=NO)
    assert told.result == ["refused"] * 3
    assert len(told.prompts) == 1
    assert len(person.run(source, policy=NO).prompts) == 1


def test_never_again_is_not_asked_listed_and_undone(person: Person) -> None:
    source = "open('a.txt').read()"
    assert person.run(source, policy=NEVER).status == "refused"
    told = person.run(source, policy=FOR_RUN)
    assert (told.status, told.prompts) == ("refused", [])
    [denied] = person.grants(denied=True)
    assert "revoke " + denied.id in told.ended.error.hint
    person.revoke(denied.id)
    assert person.grants(denied=True) == []
    assert person.run(source, policy=FOR_RUN).status == "done"


# ---- manifest


def test_outside_its_manifest_a_program_may_not_even_ask(person: Person) -> None:
    (person.folder / "b.md").write_text("b")
    told = person.run("open('b.md').read()", '"files.read" = { path = ["*.txt"] }', FOR_VERSION)
    assert told.status == "refused"
    assert [prompt.review for prompt in told.prompts] == [True]
    [refused] = told.refused
    why = person.why(told.id, refused.seq)
    assert why["manifest"].startswith("outside (")
    assert '"files.read"' in why["to allow"]
    assert why["effect"] == "none: nothing was opened, looked up or sent"


def test_a_name_cannot_widen_the_line_that_would_allow_it(person: Person) -> None:
    source = TRY + """result = attempt(lambda: open('x", "/etc/passwd').read())"""
    told = person.run(source, '"files.read" = { path = ["*.txt"] }')
    assert told.result == "refused"
    [refused] = told.refused
    name = str(person.folder / 'x\\", \\"/etc/passwd')
    assert f'"files.read" = {{ path = ["{name}"] }}' in person.why(told.id, refused.seq)["to allow"]


def test_a_question_that_the_full_desk_does_not_take_is_a_recorded_refusal(person: Person) -> None:
    waiting = [person.start(person.source("", READ, f"{number}.py"), ask=pb.ASK_WAIT) for number in range(MAX_OPEN)]
    try:
        assert eventually(lambda: person.status().prompts_open == MAX_OPEN, 30)
        told = person.run(TRY + "result = attempt(lambda: open('a.txt').read())", policy=nobody, ask=pb.ASK_WAIT)
        assert told.result == "refused"
        [refused] = told.refused
        assert refused.error.code == error_pb2.CODE_NEEDS_APPROVAL
        assert [call.decision for call in person.calls(told.id)] == [pb.CALL_DECISION_REFUSED]
    finally:
        for prompt in person.inbox():
            person.cancel(prompt.run)
        for each in waiting:
            person.follow(each)
    assert person.status().prompts_open == 0


def test_granting_the_manifest_does_not_grant_what_always_asks(person: Person) -> None:
    source = TRY + "result = [attempt(lambda: open('a.txt').read()), attempt(lambda: open('n.txt', 'w').write('x'))]"
    grants = ALWAYS + "\n" + WRITE
    told = person.run(source, grants)
    assert told.result == ["refused", "allowed"]
    assert [line.action for line in told.granted] == ["files.write"]
    assert [grant.action for grant in person.grants()] == ["files.write"]


def test_where_nobody_is_asked_a_program_is_told_that_it_needs_approval(person: Person) -> None:
    told = person.run("open('a.txt').read()", READ, policy=nobody, ask=pb.ASK_DENY)
    assert (told.status, told.prompts) == ("refused", [])
    assert told.ended.error.code == error_pb2.CODE_NEEDS_APPROVAL
    assert "inbox" in told.ended.error.hint


def test_a_program_without_a_block_asks_for_each_thing_and_is_offered_nothing_lasting(person: Person) -> None:
    told = person.run("open('a.txt').read(); open('b.txt', 'w').write('x')", policy=ONCE)
    assert told.status == "done"
    assert told.ended.manifest_offered
    offered = {offer.choice for prompt in told.prompts for line in prompt.lines for offer in line.offers}
    assert offered == {pb.CHOICE_ONCE, pb.CHOICE_RUN}
    request = pb.SuggestManifestRequest(run=told.id)
    block = person.control.SuggestManifest(request, metadata=person.metadata).block
    assert "a.txt" in block
    assert "b.txt" in block


def test_the_manifest_that_a_run_needed_names_the_network_that_it_used_and_no_other(person: Person) -> None:
    with gates() as outside:
        outside.let("/a")
        source = f"import urllib.request\nresult = urllib.request.urlopen('http://127.0.0.1:{outside.port}/a').status"
        line = f'host = ["127.0.0.1"], scheme = "http", port = {outside.port}, network = ["public", "loopback", "lan"]'
        told = person.run(source, f'"net.fetch" = {{ {line} }}')
        assert told.result == 204
        request = pb.SuggestManifestRequest(run=told.id)
        block = person.control.SuggestManifest(request, metadata=person.metadata).block
        assert 'network = ["loopback"]' in block
        told = person.run(f"{block}\n{source}", name="other.py")
        assert told.result == 204


def test_a_new_version_loses_what_it_was_not_granted(person: Person) -> None:
    person.run("1", '"files.read" = { path = ["a/**", "b/**"] }\n"files.trash" = { path = ["c"] }')
    assert [line.state for line in person.explain(_version(person, "1")).lines] == [
        pb.LINE_STATE_GRANTED, pb.LINE_STATE_GRANTED,
    ]  # fmt: skip
    changed = _version(person, "2", '"files.read" = { path = ["a/**"] }\n"files.write" = { path = ["w"] }')
    told = person.follow(person.start(changed), NO)
    assert told.status == "refused"
    states = {line.action: line.state for line in told.prompts[0].lines}
    assert states == {
        "files.read": pb.LINE_STATE_KEPT, "files.write": pb.LINE_STATE_NEW, "files.trash": pb.LINE_STATE_DROPPED
    }  # fmt: skip
    wider = _version(person, "3", '"files.read" = { path = ["a/**", "**/x"] }')
    assert person.explain(wider).lines[0].state == pb.LINE_STATE_WIDER


def _version(person: Person, text: str, grants: str = "") -> pb.Source:
    same = '"files.read" = { path = ["a/**", "b/**"] }\n"files.trash" = { path = ["c"] }'
    return person.source(text, grants or same)


def test_a_changed_program_has_nothing_until_it_is_asked(person: Person) -> None:
    assert person.run("result = open('a.txt').read()", READ).result == "a"
    told = person.run("result = open('a.txt').read() * 2", READ, policy=nobody, ask=pb.ASK_DENY)
    assert told.status == "refused"


def test_a_program_of_the_same_name_elsewhere_has_nothing(person: Person) -> None:
    source = person.source("result = open('a.txt').read()", READ)
    assert person.follow(person.start(source, grant_manifest=True)).result == "a"
    elsewhere = pb.Source(path=str(person.folder / "sub" / "program.py"), content=source.content)
    assert person.follow(person.start(elsewhere, ask=pb.ASK_DENY)).status == "refused"


# ---- places


@pytest.mark.parametrize("place", [".bashrc", ".git/hooks/pre-commit", "evil.pth", "agent.toml"])
def test_a_place_that_executes_is_asked_each_time_under_any_glob(person: Person, place: str) -> None:
    (person.folder / place).parent.mkdir(parents=True, exist_ok=True)
    write = f"lambda: files.write({place!r}, text=text)"
    source = TRY + f"from agentos.sdk import files\nresult = [attempt({write}) for text in 'ab']"
    told = person.run(source, WRITE, policy=_whole_then(NO))
    assert told.result == ["refused"] * 2
    asked = [prompt for prompt in told.prompts if not prompt.review]
    assert asked
    assert all(prompt.lines[0].effect == 5 or "GOVERN" in prompt.why for prompt in asked)
    assert {offer.choice for prompt in asked for offer in prompt.lines[0].offers} == {pb.CHOICE_ONCE}
    assert not (person.folder / place).exists()


def test_a_tree_cannot_be_moved_to_where_it_configures(person: Person) -> None:
    (person.folder / "x" / "fish").mkdir(parents=True)
    (person.folder / "x" / "fish" / "config.fish").write_text("evil")
    moves = '"files.move" = { path = ["**"], to = ["**"] }'
    source = TRY + "from agentos.sdk import files\nresult = attempt(lambda: files.move('x', '.config'))"
    told = person.run(source, moves, policy=_whole_then(NO))
    assert told.result == "refused"
    assert "GOVERN" in told.prompts[-1].why
    assert not (person.folder / ".config").exists()


def _whole_then(policy: Policy) -> Policy:
    """Allows the whole manifest, and answers the calls that ask all the same by the policy."""
    return lambda prompt: FOR_VERSION(prompt) if prompt.review else policy(prompt)


# ---- revoke, hang up, inbox


def test_revoking_stops_the_next_call_of_a_run_under_way(person: Person) -> None:
    source = TRY + (
        "result = [attempt(lambda: open('a.txt').read())]\nprint('now', flush=True)\n"
        "input()\nresult.append(attempt(lambda: open('a.txt').read()))"
    )

    def revoke(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "input_wanted":
            for grant in person.grants():
                assert person.revoke(grant.id).ids == [grant.id]
            person.type(told.id, "go on")

    stream = person.start(person.source(source, READ), grant_manifest=True, ask=pb.ASK_DENY, interactive=True)
    assert person.follow(stream, on=revoke).result == ["allowed", "refused"]


def test_a_question_is_answered_from_another_terminal(person: Person) -> None:
    stream = person.start(person.source("result = open('a.txt').read()"), ask=pb.ASK_WAIT)
    elsewhere = Person(person.socket, person.credential, person.folder)

    def answer(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "prompt":
            [waiting] = [prompt for prompt in elsewhere.inbox() if prompt.run == told.id]
            assert waiting == event.prompt
            elsewhere.answer(waiting, ONCE(waiting) or ())

    told = person.follow(stream, on=answer)
    elsewhere.close()
    assert told.result == "a"
    assert told.settled == [prompt.id for prompt in told.prompts]


def test_hanging_up_ends_the_run_and_its_questions_are_a_no(person: Person) -> None:
    stream = person.start(person.source("open('a.txt').read()"))
    told = Told()
    for event in stream:
        if told.hear(event) == "prompt":
            break
    stream.cancel()
    assert eventually(lambda: person.record(told.id).status == pb.RUN_STATUS_CANCELLED)
    assert not [prompt for prompt in person.inbox() if prompt.run == told.id]
    assert person.grants(all=True) == []
    with pytest.raises(grpc.RpcError):
        person.answer(told.prompts[0], ONCE(told.prompts[0]) or ())


def test_a_detached_run_outlives_its_follower(person: Person) -> None:
    stream = person.start(person.source("result = open('a.txt').read()"), ask=pb.ASK_WAIT)
    told = Told()
    for event in stream:
        if told.hear(event) == "prompt":
            break
    stream.cancel()
    person.answer(told.prompts[0], ONCE(told.prompts[0]) or ())
    assert eventually(lambda: person.record(told.id).status == pb.RUN_STATUS_DONE)


def test_two_runs_cannot_share_one_use(person: Person) -> None:
    source = person.source("result = open('a.txt').read()")
    told: list[Told] = []
    asked = threading.Barrier(2)

    def together(prompt: pb.Prompt) -> Iterable[pb.Decision]:
        asked.wait(20)
        mine = min(person.inbox(), key=lambda open_: open_.id).id == prompt.id
        asked.wait(20)
        return (ONCE if mine else NO)(prompt) or ()

    def run() -> None:
        told.append(person.follow(person.start(source), together))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(each.status for each in told) == ["done", "refused"]


def test_a_refusal_is_recorded_with_its_reasons_and_next_step(person: Person) -> None:
    source = (
        TRY + "result = [attempt(lambda path=path: open(path).read()) for path in ('/etc/passwd', 'b', '/proc/1/x')]"
    )
    told = person.run(source, '"files.read" = { path = ["*.txt", "/etc/*.conf"] }')
    refused = [call for call in person.calls(told.id) if call.decision == pb.CALL_DECISION_REFUSED]
    assert len(refused) == told.ended.refused >= 3
    assert len(told.refused) == len(refused)
    for call in refused:
        assert call.error.reason
        assert call.reasons
        assert call.digest
        assert not call.grant
