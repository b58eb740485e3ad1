"""What the kernel reads back, and what the person's side sends it: an answer never mints more than was offered, and a
record is one or none."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos.home import history
from agentos.home.chain import JournalBroken
from agentos.home.records import Grant
from agentos.home.refusal import Refusal
from agentos.kernel import bounds
from agentos.kernel.grants import Table
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import Document, ManifestError
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import at, grant, made, settled
from tests.kernel.test_desk import ask_for, desk

# ---- answers

scopes = st.lists(st.sampled_from([
    *("/home/me/work/notes/a.md", "/home/me/work/notes/*", "/home/me/work/notes/**", "/home/me/work/**", "/**", "/"),
    *("/home/me/work/notes/../**", "notes/a.md", "", "**", "/home/me/work/notes/a.md\0", "/home/me/work/notes/a.m?"),
]), max_size=3)  # fmt: skip
names = st.sampled_from(["path", "path", "path", "to", "", "ask"])
given_bounds = st.lists(st.tuples(names, scopes), max_size=2)
decisions = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-1, 12), given_bounds, st.sampled_from([0, -1, 1, 2000, 1 << 62])),
    max_size=3,
)


def asked(number: int, choice: int, limits: list[tuple[str, list[str]]], until: int) -> pb.Decision:
    decision = pb.Decision(number=number, choice=pb.Choice.ValueType(choice), until_ms=until)
    for name, values in limits:
        decision.bounds.add(name=name, values=values)
    return decision


@settings(deadline=None)
@given(decisions)
def test_no_answer_mints_more_than_an_offer_that_was_shown(
    catalog: Catalog, made_of: list[tuple[int, int, list[tuple[str, list[str]]], int]]
) -> None:
    async def answer() -> None:
        on, paper = desk(catalog)
        waiting = ask_for(on, catalog)
        request = pb.AnswerRequest(prompt="p1", digest=waiting.prompt.digest, decisions=[asked(*m) for m in made_of])
        try:
            await on.answer(request)
        except Refusal as refusal:
            assert refusal.fault.reason.isascii()
            assert paper.records == []
            return
        offers = list(waiting.prompt.lines[0].offers)
        for record in paper.records:
            if isinstance(record, Grant):
                of_choice = [bounds.read(offer.bounds) for offer in offers if offer.choice == record.terms.choice]
                rule = catalog.actions[record.action]
                assert any(bounds.contains(rule, offered, record.bounds) for offered in of_choice)
                assert record.terms.call == (waiting.calls[0] if record.terms.choice == pb.CHOICE_ONCE else "")

    asyncio.run(answer())


# ---- records

RECORDS = [history.entry(each)[2] for each in (grant("g1", "files.read", at("/a")), made(1, "g1"), settled(1))]
bodies = st.binary(max_size=60) | st.builds(
    lambda raw, where, byte: raw[: where % len(raw)] + bytes([byte]) + raw[where % len(raw) + 1 :],
    st.sampled_from(RECORDS), st.integers(0, 1000), st.integers(0, 255),
)  # fmt: skip


@given(bodies)
def test_a_body_is_one_record_or_none(body: bytes) -> None:
    try:
        record = history.decode(body)
    except (msgspec.MsgspecError, ValueError, JournalBroken):
        return
    kind, run, raw = history.entry(record)
    assert history.decode(raw) == record
    assert isinstance(kind, str)
    assert isinstance(run, str)


steps = st.lists(st.tuples(st.sampled_from(["use", "settle", "release"]), st.integers(1, 6)), max_size=30)


@given(steps, st.integers(1, 4))
def test_uses_are_never_negative_nor_given_back_twice(taken: list[tuple[str, int]], uses: int) -> None:
    table = Table()
    table.fold([grant("g1", "files.read", at("/a"), uses=uses)])
    open_calls: set[int] = set()
    kept = 0
    for what, seq in taken:
        if what == "use" and seq not in open_calls and table.held["g1"].uses_left:
            table.fold([made(seq, "g1")])
            open_calls.add(seq)
        elif what != "use":
            table.fold([settled(seq, released=what == "release")])
            kept += what == "settle" and seq in open_calls
            open_calls.discard(seq)
        assert table.held["g1"].uses == kept + len(open_calls) <= uses


# ---- TOML

toml_pieces = st.sampled_from([
    *("[", "]", "[[", "]]", "{", "}", ",", "=", ".", '"', "'", '"""', "'''", "#", "\n", "\r\n", "\\", "\\u0041", "a"),
    *("b-1", "1", "-1.5e3", "true", "inf", "1979-05-27", "\t", " ", "\u202e", "\ud83d\ude00".encode(
        "utf-16", "surrogatepass").decode("utf-16")),
])  # fmt: skip


@given(st.lists(toml_pieces, max_size=30).map("".join))
def test_a_document_is_read_at_once_and_every_key_has_its_line(text: str) -> None:
    began = time.process_time()
    with suppress(ManifestError):
        document = Document(text, "agent.toml")
        for key in document.table:
            assert 1 <= document.line((key,)) <= text.count("\n") + 1
            assert key in text or "\\" in text
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text", ["a" * 70_000, "[" * 20_000, "a." * 40 + "b = 1", '"""' + "x" * 60_000, "a = [" * 9_000]
)
def test_a_document_that_is_made_to_be_slow_is_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ManifestError):
        Document(text, "agent.toml")
    assert time.process_time() - began < 1
