"""The rules of authority on the real table, desk and journal, without a guest."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agentos.home.journal import Journal
from agentos.home.records import Grant, Revoked, Terms
from agentos.home.refusal import Refusal
from agentos.kernel import bounds
from agentos.kernel.admit import Authorized, admit
from agentos.kernel.call import Call, read
from agentos.kernel.decide import Ask, Case, Deny, decide
from agentos.kernel.grants import Standing
from agentos.kernel.ledger import Ledger
from agentos.kernel.standing import subtree
from agentos.kernel.wire import BadRequest, Claim
from agentos.kernel.wire import read as read_request
from agentos.manifest.catalog import load
from agentos.manifest.lines import Limits, Manifest
from agentos.runs import prompts
from agentos.runs.desk import Desk
from agentos.v1 import control_pb2 as pb

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load([ROOT / "capabilities/files"])
OPEN = Manifest("script", (), Limits(), False, "script.py")
HOME = "/home/me"
WHO = Standing("r1", "script", "/home/me/script.py", "d1")


class World(NamedTuple):
    ledger: Ledger
    desk: Desk

    def case(self, call: Call, who: Standing = WHO) -> Case:
        held = self.ledger.table.live(who, now())
        denials = self.ledger.table.denied(who.path)
        return Case(call, who, OPEN, held, denials, CATALOG, (f"{HOME}/.local/share/agentos",))

    def grant(self, action: str, path: str, choice: int = pb.CHOICE_RUN, *, uses: int = 0, parent: str = "") -> Grant:
        made = Grant(
            self.ledger.next_id("g"), WHO.run, WHO.program, WHO.path, WHO.digest, action, (("path", (path,)),),
            Terms(choice), now(), uses=uses, parent=parent,
        )  # fmt: skip
        self.ledger.record(made)
        return made


def now() -> int:
    return time.time_ns() // 1_000_000


def call(action: str, seq: int = 1, /, **args: object) -> Call:
    return read(Claim(action, dict(args)), WHO.run, seq, CATALOG, HOME, HOME)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    journal = Journal.open(tmp_path / "agentos.db", b"k" * 32)
    ledger = Ledger(journal)
    yield World(ledger, Desk(ledger, ledger, CATALOG, now))
    await journal.close()


async def test_one_use_is_admitted_once_however_many_call(world: World) -> None:
    world.grant("files.read", "/home/me/notes/**", uses=1)
    outcomes = [admit(world.case(call("files.read", seq, path="notes/a")), world.ledger, now()) for seq in range(50)]
    assert sum(isinstance(each, Authorized) for each in outcomes) == 1
    assert sum(isinstance(each, Ask) for each in outcomes) == 49


async def test_only_admit_makes_an_authorized_and_it_is_good_once(world: World) -> None:
    with pytest.raises(TypeError):
        Authorized(call("files.read", path="a"), "g1", 1, 0, object())
    world.grant("files.read", "/home/me/a")
    authorized = admit(world.case(call("files.read", path="a")), world.ledger, now())
    assert isinstance(authorized, Authorized)
    authorized.spend()
    with pytest.raises(RuntimeError):
        authorized.spend()


async def test_revoking_takes_what_was_derived_at_the_next_call(world: World) -> None:
    parent = world.grant("files.read", "/home/me/notes/**")
    world.grant("files.read", "/home/me/notes/a", parent=parent.id)
    assert isinstance(admit(world.case(call("files.read", path="notes/a")), world.ledger, now()), Authorized)
    assert subtree(world.ledger.table, parent.id) == (parent.id, "g2")
    world.ledger.record(Revoked((parent.id,)))
    assert isinstance(decide(world.case(call("files.read", path="notes/a"))), Ask)


@pytest.mark.parametrize("path", ["/proc/self/environ", "~/.local/share/agentos/agentos.db", "/sys/kernel"])
async def test_some_places_are_reached_by_no_grant(world: World, path: str) -> None:
    world.grant("files.read", "/**")
    assert isinstance(decide(world.case(call("files.read", path=path))), Deny)


@pytest.mark.parametrize("path", ["~/.bashrc", "x/.git/hooks/pre-commit", "lib/evil.pth", "~/.config/autostart/a"])
async def test_where_things_execute_no_standing_grant_covers_a_write(world: World, path: str) -> None:
    world.grant("files.write", "/**")
    verdict = decide(world.case(call("files.write", path=path, text="x")))
    assert isinstance(verdict, Ask)
    assert verdict.once


async def test_a_tree_is_not_moved_to_where_things_execute(world: World) -> None:
    held = Grant(
        "g1", "r1", "script", WHO.path, "d1", "files.move", (("path", ("/**",)), ("to", ("/**",))),
        Terms(pb.CHOICE_RUN), now(),
    )  # fmt: skip
    world.ledger.record(held)
    verdict = decide(world.case(call("files.move", path="x", to="~/.config")))
    assert isinstance(verdict, Ask)
    assert verdict.once


async def test_another_version_or_program_has_nothing_of_the_grant(world: World) -> None:
    world.grant("files.read", "/home/me/a", pb.CHOICE_VERSION)
    for other in (Standing("r2", "script", WHO.path, "d2"), Standing("r2", "script", "/home/me/other.py", "d1")):
        assert isinstance(decide(world.case(call("files.read", path="a"), other)), Ask)
    assert not isinstance(decide(world.case(call("files.read", path="a"))), Ask)


def asked(world: World, about: Call) -> pb.Prompt:
    verdict = decide(world.case(about))
    assert isinstance(verdict, Ask)
    line = prompts.call_line(1, about, verdict, WHO, OPEN, CATALOG, [])
    prompt = prompts.seal(pb.Prompt(id=world.ledger.next_id("p"), run=WHO.run, lines=[line]))
    world.desk.put(prompt, WHO, [about.digest])
    return prompt


def answer(prompt: pb.Prompt, choice: pb.Choice.ValueType, path: str = "", digest: str = "") -> pb.AnswerRequest:
    wanted = bounds.written((("path", (path,)),)) if path else []
    decision = pb.Decision(number=1, choice=choice, bounds=wanted)
    return pb.AnswerRequest(prompt=prompt.id, digest=digest or prompt.digest, decisions=[decision])


async def test_an_approval_of_one_call_is_for_that_call_and_once(world: World) -> None:
    about = call("files.read", path="a")
    await world.desk.answer(answer(asked(world, about), pb.CHOICE_ONCE))
    assert isinstance(decide(world.case(call("files.read", path="b"))), Ask)
    assert isinstance(decide(world.case(call("files.read", path="a", offset=1))), Ask)
    assert isinstance(admit(world.case(about), world.ledger, now()), Authorized)
    assert isinstance(admit(world.case(about), world.ledger, now()), Ask)


async def test_an_answer_is_taken_once_and_only_to_what_was_shown(world: World) -> None:
    prompt = asked(world, call("files.read", path="a"))
    with pytest.raises(Refusal, match="something else"):
        await world.desk.answer(answer(prompt, pb.CHOICE_RUN, digest="0" * 64))
    await world.desk.answer(answer(prompt, pb.CHOICE_RUN))
    with pytest.raises(Refusal, match="no such question"):
        await world.desk.answer(answer(prompt, pb.CHOICE_RUN))


async def test_an_answer_mints_no_more_than_was_offered(world: World) -> None:
    prompt = asked(world, call("files.read", path="notes/a"))
    for path, choice in (("/**", pb.CHOICE_RUN), ("/home/me/notes/a", pb.CHOICE_VERSION)):
        with pytest.raises(Refusal, match="further than was asked"):
            await world.desk.answer(answer(prompt, choice, path))
    assert await world.desk.answer(answer(prompt, pb.CHOICE_RUN, "/home/me/notes/*"))


async def test_never_again_is_remembered_and_can_be_undone(world: World) -> None:
    about = call("files.read", path="a")
    await world.desk.answer(answer(asked(world, about), pb.CHOICE_NEVER))
    assert isinstance(decide(world.case(about)), Deny)
    world.ledger.record(Revoked(tuple(world.ledger.table.denials)))
    assert isinstance(decide(world.case(about)), Ask)


async def test_a_file_named_like_a_pattern_is_approved_as_itself(world: World) -> None:
    await world.desk.answer(answer(asked(world, call("files.read", path="notes/*")), pb.CHOICE_RUN))
    assert isinstance(decide(world.case(call("files.read", path="notes/secret"))), Ask)


async def test_grants_are_what_the_journal_says_after_a_restart(world: World) -> None:
    world.grant("files.read", "/home/me/a", uses=2)
    admit(world.case(call("files.read", path="a")), world.ledger, now())
    again = Ledger(world.ledger.journal)
    assert again.table.held["g1"].uses_left == 1
    assert again.next_id("g") == "g2"


@pytest.mark.parametrize(
    "request_text",
    [
        '{"calls":[],"calls":[]}',
        '{"calls":[{"action":"files.read","args":{"path":NaN}}]}',
        "[" * 100_000,
        '{"calls":[{"action":1}]}',
        '"\\ud800"',
        '{"calls":' + "[" + ",".join(['{"action":"a","args":{}}'] * 65) + "]}",
    ],
)
def test_a_request_with_no_single_reading_is_refused(request_text: str) -> None:
    with pytest.raises(BadRequest):
        read_request(request_text)


@pytest.mark.parametrize(
    "args", [{"path": "a", "nonsense": 1}, {"path": 1}, {"path": "a", "offset": "x"}, {}, {"path": "../a"}]
)
def test_arguments_that_do_not_fit_are_refused(args: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        call("files.read", **args)
