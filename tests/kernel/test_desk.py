"""The desk: what an answer of the person may mint, and what mints nothing."""

from __future__ import annotations

from functools import partial

import pytest

from agentos.home.history import PromptAnswered
from agentos.home.journal import JournalFull
from agentos.home.records import Bounds, Denial, Grant
from agentos.home.refusal import Refusal
from agentos.kernel import bounds
from agentos.kernel.decide import Ask, decide
from agentos.kernel.grants import Held
from agentos.manifest import suggest
from agentos.manifest.reading import read
from agentos.manifest.rules import Catalog
from agentos.runs import prompts, provenance
from agentos.runs.desk import Desk, Open
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import HOME, START, WHO, Paper, at, call, case, grant, line, manifest

NOTES = "/home/me/work/notes/**"
NOW = 1_000
CEILING = manifest(line("files.read", at(NOTES)))


def desk(catalog: Catalog) -> tuple[Desk, Paper]:
    paper = Paper()
    return Desk(paper, paper, catalog, lambda: NOW), paper


def ask_for(desk: Desk, catalog: Catalog, path: str = "notes/a.md", number: str = "p1") -> Open:
    """The question that a read inside the manifest brings, on the desk."""
    made = call(catalog, "files.read", path=path)
    verdict = decide(case(catalog, made, *CEILING.lines))
    assert isinstance(verdict, Ask)
    shown = prompts.call_line(1, made, verdict, WHO, CEILING, catalog, ["path written in links.py:3"])
    return desk.put(prompts.seal(pb.Prompt(id=number, run="r1", lines=[shown])), WHO, [made.digest])


def reply(waiting: Open, choice: pb.Choice.ValueType, scope: Bounds = (), **more: int) -> pb.AnswerRequest:
    decision = pb.Decision(number=1, choice=choice, bounds=bounds.written(scope), until_ms=more.get("until_ms", 0))
    return pb.AnswerRequest(prompt=waiting.prompt.id, digest=waiting.prompt.digest, decisions=[decision])


async def test_an_answer_mints_what_was_shown(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    assert await on.answer(reply(waiting, pb.CHOICE_ONCE)) == ["g1"]
    told, minted = paper.records
    assert isinstance(told, PromptAnswered)
    assert isinstance(minted, Grant)
    assert told.digest == waiting.prompt.digest
    assert (minted.uses, minted.terms.call) == (1, waiting.calls[0])
    assert minted.bounds == at("/home/me/work/notes/a.md")


async def test_a_run_is_known_to_wait_until_each_of_its_questions_was_answered_or_taken_off(catalog: Catalog) -> None:
    on, _ = desk(catalog)
    first, *_ = [ask_for(on, catalog, number=f"p{number}") for number in (1, 2, 3)]
    assert on.asked == {"r1": 3}
    await on.answer(reply(first, pb.CHOICE_NO))
    on.void("p2")
    on.void("p2")
    assert on.asked == {"r1": 1}
    on.void_all("r1")
    assert "r1" not in on.asked
    assert on.open == {}


async def test_an_answer_is_taken_once(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    await on.answer(reply(waiting, pb.CHOICE_NO))
    with pytest.raises(Refusal, match="no such question"):
        await on.answer(reply(waiting, pb.CHOICE_VERSION))
    assert not [record for record in paper.records if isinstance(record, Grant)]


class FullDisk(Paper):
    """A ledger that has no room."""

    async def durable(self, seq: int) -> None:
        raise JournalFull


async def test_an_answer_that_cannot_be_kept_is_a_no_at_once(catalog: Catalog) -> None:
    paper = FullDisk()
    on = Desk(paper, paper, catalog, lambda: NOW)
    waiting = ask_for(on, catalog)
    with pytest.raises(JournalFull):
        await on.answer(reply(waiting, pb.CHOICE_RUN))
    assert waiting.answer.result() == {}


async def test_an_answer_is_bound_to_what_was_shown(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting, other = ask_for(on, catalog), ask_for(on, catalog, "notes/b.md", "p2")
    request = reply(waiting, pb.CHOICE_ONCE)
    for digest in ("", other.prompt.digest, waiting.prompt.digest[:-1]):
        request.digest = digest
        with pytest.raises(Refusal, match="something else"):
            await on.answer(request)
    assert not paper.records
    assert waiting.prompt.id in on.open


async def test_the_digest_is_over_all_that_is_shown(catalog: Catalog) -> None:
    on, _ = desk(catalog)
    prompt = ask_for(on, catalog).prompt
    changed = []
    for field in ("summary", "source"):
        other = pb.Prompt.FromString(prompt.SerializeToString())
        setattr(other.lines[0], field, "x")
        changed.append(other)
    wider = pb.Prompt.FromString(prompt.SerializeToString())
    wider.lines[0].offers[0].bounds[0].values[0] = "/**"
    assert prompt.digest not in {prompts.seal(other).digest for other in [*changed, wider]}


@pytest.mark.parametrize(
    "scope",
    [at("/**"), at("/home/me/**"), at("/home/me/work/**"), at(NOTES, "/etc/passwd"), (("to", (NOTES,)),),
     (("path", ()),)],
)  # fmt: skip
async def test_wider_than_offered_is_refused(catalog: Catalog, scope: Bounds) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    with pytest.raises(Refusal, match="further than was asked"):
        await on.answer(reply(waiting, pb.CHOICE_VERSION, scope))
    assert not paper.records


async def test_narrower_than_offered_is_minted(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    await on.answer(reply(waiting, pb.CHOICE_VERSION, at("/home/me/work/notes/x/*.md")))
    assert isinstance(paper.records[1], Grant)
    assert paper.records[1].bounds == at("/home/me/work/notes/x/*.md")


@pytest.mark.parametrize("path", [f"{NOTES[:-2]}../../../../etc/**", "/home/me/work/notes/[x", "notes/**", "~/a", ""])
async def test_a_bound_that_is_no_pattern_is_refused(catalog: Catalog, path: str) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    with pytest.raises(Refusal):
        await on.answer(reply(waiting, pb.CHOICE_VERSION, at(path, NOTES)))
    assert not paper.records


async def test_what_is_minted_is_in_its_canonical_form(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    await on.answer(reply(waiting, pb.CHOICE_VERSION, at("/home/me//work/./notes/x/")))
    assert isinstance(paper.records[1], Grant)
    assert paper.records[1].bounds == at("/home/me/work/notes/x")


@pytest.mark.parametrize("choice", [pb.CHOICE_TERMINAL, pb.CHOICE_UNSPECIFIED, 99])
async def test_a_choice_that_was_not_offered_is_refused(catalog: Catalog, choice: pb.Choice.ValueType) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    with pytest.raises(Refusal):
        await on.answer(reply(waiting, choice))
    assert not paper.records


@pytest.mark.parametrize("until", [0, NOW, NOW - 1, NOW + 367 * 86_400_000, -1])
async def test_a_time_must_lie_ahead_and_within_a_year(catalog: Catalog, until: int) -> None:
    on, _ = desk(catalog)
    waiting = ask_for(on, catalog)
    with pytest.raises(Refusal, match="time must lie ahead"):
        await on.answer(reply(waiting, pb.CHOICE_UNTIL, until_ms=until))
    await on.answer(reply(waiting, pb.CHOICE_UNTIL, until_ms=NOW + 1))


async def test_a_line_is_answered_once_and_must_be_there(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    twice = reply(waiting, pb.CHOICE_ONCE)
    twice.decisions.append(twice.decisions[0])
    absent = reply(waiting, pb.CHOICE_ONCE)
    absent.decisions[0].number = 2
    for request in (twice, absent):
        with pytest.raises(Refusal):
            await on.answer(request)
    assert not paper.records


async def test_one_bad_line_and_nothing_is_minted(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    request = reply(waiting, pb.CHOICE_ONCE)
    request.decisions.append(pb.Decision(number=7, choice=pb.CHOICE_VERSION))
    with pytest.raises(Refusal):
        await on.answer(request)
    assert not paper.records


async def test_never_again_is_a_record_with_the_bounds_that_were_shown(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    assert await on.answer(reply(ask_for(on, catalog), pb.CHOICE_NEVER)) == []
    assert isinstance(paper.records[1], Denial)
    assert paper.records[1].bounds == at("/home/me/work/notes/a.md")


async def test_a_voided_question_is_a_no(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    waiting = ask_for(on, catalog)
    on.void("p1")
    assert await waiting.answer == {}
    with pytest.raises(Refusal):
        await on.answer(reply(waiting, pb.CHOICE_ONCE))
    assert not paper.records


async def test_questions_that_wait_have_a_limit(catalog: Catalog) -> None:
    on, _ = desk(catalog)
    for number in range(100):
        ask_for(on, catalog, number=f"p{number}")
    with pytest.raises(Refusal, match="too many"):
        ask_for(on, catalog, number="p100")


async def test_granting_the_manifest_mints_no_line_that_always_asks(catalog: Catalog) -> None:
    on, paper = desk(catalog)
    wants = manifest(line("files.read", at(NOTES)), line("files.write", at(NOTES), ask_always=True))
    lines = prompts.review_lines(wants, WHO, [], [], catalog)
    assert [prompts.asks(each) for each in lines] == [True, False]
    on.grant_lines([each for each in lines if prompts.asks(each)], WHO)
    assert [record.action for record in paper.records if isinstance(record, Grant)] == ["files.read"]
    with pytest.raises(Refusal):
        on.grant_lines(lines, WHO)


def test_a_review_says_how_each_line_stands(catalog: Catalog) -> None:
    before = [
        Held(grant("g1", "files.read", at(NOTES))),
        Held(grant("g2", "files.write", at("/home/me/work/a/*"))),
        Held(grant("g3", "files.trash", at("/home/me/work/b"))),
    ]
    wants = manifest(
        line("files.read", at("/home/me/work/notes/*.md")),
        line("files.write", at("/home/me/work/a/**")),
        line("files.mkdir", at("/home/me/work/c")),
    )
    lines = prompts.review_lines(wants, WHO, [], before, catalog)
    states = [pb.LineState.Name(each.state).removeprefix("LINE_STATE_") for each in lines]
    assert states == ["KEPT", "WIDER", "NEW", "DROPPED"]
    assert not lines[-1].offers


# ---- bounds, provenance, suggest


@pytest.mark.parametrize(
    ("wide", "narrow", "holds"),
    [
        (at(NOTES), at("/home/me/work/notes/a"), True),
        (at(NOTES), at("/home/me/work/notes/a", "/home/me/work/b"), False),
        (at(NOTES), (), False),
        (at(NOTES), at(), False),
        ((), at(NOTES), False),
        (at(NOTES), (("path", (NOTES,)), ("no", ("x",))), False),
        ((("bytes", ("10",)), *at(NOTES)), at(NOTES), False),
        ((("bytes", ("10",)), *at(NOTES)), (("bytes", ("11",)), *at(NOTES)), False),
        ((("bytes", ("10",)), *at(NOTES)), (("bytes", ("-1",)), *at(NOTES)), False),
        ((("bytes", ("10",)), *at(NOTES)), (("bytes", ("9",)), *at(NOTES)), True),
        (at(NOTES), (("bytes", ("9",)), *at(NOTES)), True),
    ],
)
def test_what_contains_what(catalog: Catalog, wide: Bounds, narrow: Bounds, holds: bool) -> None:
    assert bounds.contains(catalog.actions["files.write"], wide, narrow) == holds


def test_the_middle_scope_is_this_folder(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="notes/a[1].md")
    exact = bounds.of_call(made)
    assert bounds.contains(made.rule, bounds.broader(made, exact), exact)
    assert bounds.broader(made, exact) == at("/home/me/work/notes/*")
    top = call(catalog, "files.read", path="/a")
    assert bounds.broader(top, bounds.of_call(top)) == at("/a")
    listed = call(catalog, "files.list", path="notes/2026")  # its siblings are no wider scope of a folder
    assert bounds.broader(listed, bounds.of_call(listed)) == at("/home/me/work/notes/2026")


def test_the_middle_scope_is_not_offered_beyond_the_manifest(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="notes/a.md")
    only = manifest(line("files.read", at("/home/me/work/notes/a.md", "/home/me/x")))
    verdict = decide(case(catalog, made, *only.lines))
    assert isinstance(verdict, Ask)
    offers = prompts.call_line(1, made, verdict, WHO, only, catalog, []).offers
    assert at("/home/me/work/notes/*") not in [bounds.read(offer.bounds) for offer in offers]


def test_where_an_argument_came_from(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="notes/topic.md")
    source = "import os\nopen('notes/topic.md')\n"
    replies = [(3, "files.read", '{"text": "see topic.md"}')]
    tell = partial(provenance.origins, made, "a.py")
    assert tell(source, "", replies) == ["path written in a.py:2"]
    assert tell("", '"topic.md"', replies) == ["path from the run's input"]
    assert tell("", "", replies) == ["path from the reply of call 3 (files.read)"]
    assert tell("", "", []) == ["path put together by the program"]
    moved = call(catalog, "files.move", path="a.md", to="b.md").prepared((("replaces", "b.md, 5 bytes"),))
    assert [each.split()[0] for each in provenance.origins(moved, "a.py", "", "", [])] == ["path", "to"]


def test_a_suggested_manifest_is_narrow_and_leaves_out_what_is_never_reachable(catalog: Catalog) -> None:
    calls = [call(catalog, "files.read", path=f"notes/{name}.md") for name in "abcd"]
    calls += [call(catalog, "files.list", path="notes"), call(catalog, "files.write", path="report.md", text="x")]
    calls += [call(catalog, "files.read", path="/proc/self/environ"), call(catalog, "clock.now")]
    made = [(each.rule.name, each.targets, ()) for each in calls]
    block = suggest.block(WHO.path, made, START, HOME, catalog)
    assert "notes/*.md" in block
    assert "report.md" in block
    assert "proc" not in block
    assert "files.list" not in block
    again = read(block.encode(), WHO.path, b"", "", catalog, START, HOME)
    assert {each.action for each in again.lines} == {"files.read", "files.write"}
