"""Bounds that only some capabilities have, and what an answer for one call may not become."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentos.kernel.bounds import contains
from agentos.kernel.decide import Allow, Ask, Deny, decide
from agentos.manifest.rules import Catalog
from agentos.runs import prompts
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.authority.letters import post_service, shipped, write_capability
from tests.kernel.cases import WHO, at, call, case, grant, line, manifest

WIDE = at("/home/me/work/**")


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """files, and post, whose letters have a size."""
    return shipped(write_capability(tmp_path_factory.mktemp("post"), post_service()))


def test_one_call_may_not_be_larger_than_the_most_of_its_grant(post: Catalog) -> None:
    bounds = (("kind", ("letter",)), ("server", ("mail.acme.com",)), ("size", ("4",)), ("to", ("ada@acme.com",)))
    held = [grant("g1", "post.send", bounds)]
    for text, kind in (("1234", Allow), ("12345", Deny), ("ééé", Deny)):
        made = call(post, "post.send", to="ada@acme.com", server="mail.acme.com", kind="letter", text=text)
        verdict = decide(case(post, made, held=held, present=False))
        assert isinstance(verdict, kind), text
        if isinstance(verdict, Deny):
            assert (verdict.fault.code, verdict.fault.detail) == (error_pb2.CODE_LIMIT, "quota")


def test_a_once_covers_no_more_than_its_bounds(catalog: Catalog) -> None:
    """Its digest alone would do; a grant whose bounds are about something else was not minted for this call."""
    made = call(catalog, "files.read", path="notes/a.md")
    other = grant("g1", "files.read", at("/home/me/work/other"), pb.CHOICE_ONCE, call=made.digest, uses=1)
    assert isinstance(decide(case(catalog, made, held=[other], present=False)), Ask)


@pytest.mark.parametrize("always", [line("files.read", WIDE, ask_always=True), line("files.write", WIDE)])
def test_what_asks_each_time_is_offered_for_once_alone(catalog: Catalog, always: object) -> None:
    assert isinstance(always, type(line("files.read", WIDE)))
    made = call(catalog, always.action, path="notes/a.md" if always.ask_always else ".bashrc")
    verdict = decide(case(catalog, made, always))
    assert isinstance(verdict, Ask)
    shown = prompts.call_line(1, made, verdict, WHO, manifest(always), catalog, [])
    assert {offer.choice for offer in shown.offers} == {pb.CHOICE_ONCE}
    assert shown.always_asks


def test_bounds_that_name_all_that_an_action_has_are_compared_like_any(catalog: Catalog) -> None:
    rule = catalog.actions["files.read"]
    assert contains(rule, at("/a/**"), at("/a/b"))
    assert not contains(rule, at("/a/**"), at("/b"))
    assert not contains(rule, at("/a/**"), (*at("/a/b"), ("size", ("1",))))


def test_of_several_lines_the_first_is_asked_about_and_named(catalog: Catalog) -> None:
    lines = [replace(line("files.read", WIDE), where=f"links.py:{number}") for number in (5, 6)]
    asked = decide(case(catalog, call(catalog, "files.read", path="a"), *lines))
    assert isinstance(asked, Ask)
    assert asked.line == lines[0]
    assert dict(asked.reasons)["manifest"].startswith("links.py:5 ")
