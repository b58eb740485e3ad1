"""A call that was cut off is made again under what allowed it, or not at all."""

from __future__ import annotations

import msgspec

from agentos.home.records import CallMade, Fault
from agentos.kernel.admit import Authorized, admit, readmit
from agentos.kernel.decide import Case
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.kernel.cases import Paper, at, call, case, grant, line

NOTES = at("/home/me/work/notes/**")
HELD = [grant("g1", "files.read", NOTES)]


def admitted(on: Case) -> CallMade:
    """The record of a call that was admitted at 77."""
    paper = Paper()
    assert isinstance(admit(on, paper, 77), Authorized)
    [made] = paper.records
    assert isinstance(made, CallMade)
    return made


def test_under_the_same_grant_it_is_made_again_as_it_was_asked_then_with_no_new_record(catalog: Catalog) -> None:
    now = case(catalog, call(catalog, "files.read", path="notes/a"), held=HELD, present=False)
    again = readmit(now, admitted(now))
    assert isinstance(again, Authorized)
    assert (again.grant, again.at_ms, again.seq) == ("g1", 77, 0)


def test_under_another_grant_it_would_be_another_call(catalog: Catalog) -> None:
    asked = call(catalog, "files.read", path="notes/a")
    before = admitted(case(catalog, asked, held=HELD, present=False))
    now = readmit(case(catalog, asked, held=[grant("g2", "files.read", NOTES)], present=False), before)
    assert isinstance(now, Fault)
    assert (now.code, now.hint) == (error_pb2.CODE_DENIED, "see: agentos grants")
    assert "not made again" in now.reason


def test_another_call_is_not_made_in_its_place(catalog: Catalog) -> None:
    asked, other = (call(catalog, "files.read", path=path) for path in ("notes/a", "notes/b"))
    before = admitted(case(catalog, asked, held=HELD, present=False))
    assert isinstance(readmit(case(catalog, other, held=HELD, present=False), before), Fault)
    assert isinstance(readmit(case(catalog, asked, held=HELD, present=False), before), Authorized)


def test_what_would_be_asked_now_is_not_made_again(catalog: Catalog) -> None:
    asked = call(catalog, "files.read", path="notes/a")
    before = admitted(case(catalog, asked, held=HELD, present=False))
    nobody = msgspec.structs.replace(before, grant="")
    for made in (before, nobody):
        now = readmit(case(catalog, asked, present=False), made)
        assert isinstance(now, Fault)
        assert now.code == error_pb2.CODE_DENIED


def test_what_is_refused_now_is_refused_with_its_own_reason(catalog: Catalog) -> None:
    asked = call(catalog, "files.read", path="notes/a")
    before = admitted(case(catalog, asked, held=HELD, present=False))
    other = case(catalog, asked, line("files.read", at("/home/me/work/other/**")), held=HELD)
    now = readmit(other, before)
    assert isinstance(now, Fault)
    assert "outside" in now.reason
    assert before.decision == pb.CALL_DECISION_ALLOWED
