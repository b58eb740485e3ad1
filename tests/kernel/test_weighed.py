"""What is decided, recorded and settled, to the last field: limits to the unit, records in full."""

from __future__ import annotations

import pytest

from agentos.home.records import CallMade, CallSettled, Denial, Fault
from agentos.kernel import bounds, wire
from agentos.kernel import decide as rules
from agentos.kernel.admit import Authorized, admit, refuse, settle
from agentos.kernel.call import read, redacted
from agentos.kernel.decide import NOWHERE, Allow, Ask, Case, Deny, decide, manifest_line, only_once
from agentos.kernel.grants import Held
from agentos.kernel.scope import effect
from agentos.manifest.rules import Catalog
from agentos.manifest.summary import summary
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from agentos.v1.names import BadName
from tests.authority.letters import Field, add_field, add_method, post_service, shipped, write_capability
from tests.kernel.cases import VAULT, Paper, at, call, case, grant, line

NOTES = "/home/me/work/notes/**"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Files, and one capability more: every kind of bound, several values, a bound of two fields, and what costs."""
    file = post_service()
    copies = add_field(file.message_type[0], "cc", notes.MATCHER_MAIL, bound="to")
    copies.label = Field.LABEL_REPEATED
    add_field(file.message_type[0], "seal", kind=Field.TYPE_INT32, content=True)
    add_method(file, "Pay", notes.EFFECT_SPEND, "pay in {coin}")
    coin = add_field(file.message_type[-2], "coin", notes.MATCHER_EXACT)
    coin.options.Extensions[notes.field].among.append("eur")
    return shipped(write_capability(tmp_path_factory.mktemp("post"), file))


A = "/home/me/work/notes/a.md"


def weighed(catalog: Catalog, text: str, spent: int, most: str, run: str = "r1") -> Case:
    """A write of this text under a budget of bytes, of which the run has spent some."""
    made = call(catalog, "files.write", path="notes/a.md", text=text)
    held = Held(grant("g1", "files.write", (("bytes", (most,)), *at(NOTES))), spent={(run, "bytes"): spent})
    if spent < 0:
        held.spent = {}
    it = case(catalog, made, line("files.write", at(NOTES)))
    return Case(it.call, it.who, it.manifest, [held], it.denials, it.catalog, it.forbidden)


@pytest.mark.parametrize(
    ("text", "spent", "most", "said"),
    [
        ("x" * 10, -1, "10", ""), ("x" * 11, -1, "10", "bytes: 11 of 10 a run"), ("x" * 4, 6, "10", ""),
        ("x" * 5, 6, "10", "bytes: 11 of 10 a run"), ("", 10, "10", ""), ("é" * 5, -1, "10", ""),
        ("é" * 6, 0, "10", "bytes: 12 of 10 a run"),
    ],
)  # fmt: skip
def test_a_budget_is_spent_to_the_last_byte_and_not_beyond(
    catalog: Catalog, text: str, spent: int, most: str, said: str
) -> None:
    verdict = decide(weighed(catalog, text, spent, most))
    if not said:
        assert isinstance(verdict, Allow)
        assert verdict.grant == "g1"
        return
    assert isinstance(verdict, Deny)
    assert verdict.fault == Fault(error_pb2.CODE_LIMIT, said, "raise the bound of files.write in the manifest", "quota")
    assert verdict.reasons[:2] == (("grant", f"g1: {said}"), ("effect", "none"))
    assert verdict.reasons[2:] == (("to allow", "raise the bound of files.write in the manifest"),)


def test_what_another_run_spent_counts_for_nobody_else(catalog: Catalog) -> None:
    assert isinstance(decide(weighed(catalog, "x" * 10, 10, "10", run="r2")), Allow)


@pytest.mark.parametrize(("count", "allowed"), [(4, True), (5, False)])
def test_one_call_has_its_most_to_the_unit(catalog: Catalog, count: int, allowed: bool) -> None:
    made = call(catalog, "post.send", to="a@b.c", cc=["a@b.c"], server="s.b.c", kind="k", text="x" * count, stamps=1)
    limits = (("kind", ("k",)), ("server", ("s.b.c",)), ("size", ("4", "9")), ("stamps", ("1",)), ("to", ("a@b.c",)))
    verdict = decide(case(catalog, made, held=[grant("g1", "post.send", limits)], present=False))
    assert isinstance(verdict, Allow) is allowed
    if isinstance(verdict, Deny):
        assert verdict.fault.reason == "size: 5, at most 4 in one call"


# ---- reasons, word for word


def test_a_read_that_is_granted_says_by_which_line_and_grant(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="notes/a.md")
    reading = line("files.read", at(NOTES))
    allowed = decide(case(catalog, made, reading, held=[grant("g7", "files.read", at(NOTES))]))
    assert allowed == Allow("g7", (("manifest", "links.py:5 files.read notes/**"), ("grant", "g7 files.read")))
    asked = decide(case(catalog, made, reading))
    where = ("manifest", "links.py:5 files.read notes/**")
    assert asked == Ask("not granted yet", False, reading, (where, ("grant", "none"), ("asked", "not granted yet")))
    open_ = decide(case(catalog, made, present=False))
    assert isinstance(open_, Ask)
    assert (open_.line, open_.reasons[0]) == (None, ("manifest", "none: asks for each thing"))


def test_the_kernels_own_calls_say_so(catalog: Catalog) -> None:
    own = decide(case(catalog, call(catalog, "clock.now")))
    assert own == Allow("", (("grant", "needs none: the kernel's own call"),))


def test_a_place_that_is_never_reached_says_so(catalog: Catalog) -> None:
    for path, said in (
        (VAULT, "the kernel's own home is not reachable"),
        (f"{VAULT}/x", "the kernel's own home is not reachable"),
        ("/proc/1", "this place is not reachable under any grant"),
        ("/proc", "this place is not reachable under any grant"),
    ):
        verdict = decide(case(catalog, call(catalog, "files.read", path=path), present=False))
        assert isinstance(verdict, Deny)
        assert verdict.fault == Fault(error_pb2.CODE_DENIED, said, "no grant changes that")
        assert verdict.reasons == (
            ("manifest", "cannot name this place"), ("grant", "none"), *NOWHERE[2:3],
            ("to allow", "nothing does: such places are out of reach for every program"),
        )  # fmt: skip


def test_outside_the_manifest_says_what_it_has_and_what_would_allow(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="/etc/a*b")
    hint = r'add "files.read" = { path = ["/etc/a\\*b"] } to links.py, only if you trust this program'
    for lines, has in (
        ([line("files.read", at(NOTES)), line("files.read", at("/x"))],
         "outside (links.py:5 has files.read notes/** and links.py:5 has files.read notes/**)"),
        ([line("files.move", at(NOTES))], "outside (links.py has no line for files.read)"),
    ):  # fmt: skip
        verdict = decide(case(catalog, made, *lines))
        assert isinstance(verdict, Deny)
        assert verdict.fault == Fault(error_pb2.CODE_DENIED, "outside what links may ever ask", hint)
        assert verdict.reasons == (
            ("manifest", has), ("grant", "none"), *NOWHERE[2:3], ("to allow", hint),
        )  # fmt: skip


def test_never_again_says_how_to_take_it_back(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="notes/a.md")
    denial = Denial("d3", "r0", "links", "/home/me/work/links.py", "files.read", at(NOTES), 0)
    verdict = decide(case(catalog, made, denials=[denial], present=False))
    hint = "agentos revoke d3 takes that back"
    assert isinstance(verdict, Deny)
    assert verdict.fault == Fault(error_pb2.CODE_DENIED, "the person said never to ask again", hint)
    assert verdict.reasons == (("grant", "refused for good as d3"), ("to allow", hint))


def test_what_asks_each_time_says_why(catalog: Catalog) -> None:
    governs = call(catalog, "files.write", path="~/.BashRC", text="x")
    assert effect(governs, catalog) == notes.EFFECT_GOVERN
    asked = decide(case(catalog, governs, present=False))
    assert isinstance(asked, Ask)
    assert (asked.why, asked.once) == ("GOVERN: asked each time", True)
    made = call(catalog, "files.read", path="notes/a.md")
    always, never = line("files.read", at(NOTES), ask_always=True), line("files.read", at(NOTES))
    assert only_once(case(catalog, made, always)) == 'ask = "always"'
    assert only_once(case(catalog, made, always, never)) == ""
    assert only_once(case(catalog, made)) == ""


@pytest.mark.parametrize(
    "place", ["~/.config", "~/.config/fish", "~/.config/fish/x", "~/.CONFIG/Fish/x", "/etc/x", "x/bin/y"]
)
def test_a_place_and_the_folders_above_it_govern(catalog: Catalog, place: str) -> None:
    assert effect(call(catalog, "files.mkdir", path=place), catalog) == notes.EFFECT_GOVERN


@pytest.mark.parametrize("place", ["~/config", "~/.config2", "~/x/fish", "~/bin2", "~/a.service.txt"])
def test_a_neighbour_of_such_a_place_does_not(catalog: Catalog, place: str) -> None:
    assert effect(call(catalog, "files.mkdir", path=place), catalog) == notes.EFFECT_KEEP
    assert effect(call(catalog, "files.read", path="~/.bashrc"), catalog) == notes.EFFECT_OBSERVE


def test_the_line_that_would_allow_names_each_target(catalog: Catalog) -> None:
    made = call(catalog, "files.move", path="a", to="b*")
    assert manifest_line(made) == r'"files.move" = { path = ["/home/me/work/a"], to = ["/home/me/work/b\\*"] }'
    prepared = made.prepared((("replaces", "something"),))
    assert manifest_line(prepared) == manifest_line(made)


def test_what_spends_asks_each_time(catalog: Catalog) -> None:
    made = call(catalog, "post.pay", coin="eur")
    standing = grant("g1", "post.pay", (("coin", ("eur",)),))
    verdict = decide(case(catalog, made, held=[standing], present=False))
    assert isinstance(verdict, Ask)
    assert (verdict.why, verdict.once) == ("SPEND: asked each time", True)
    assert verdict.reasons[-1] == ("asked", "SPEND: asked each time")


def test_a_folder_on_the_way_is_listed_and_not_read_and_no_other_is(catalog: Catalog) -> None:
    held = [grant("g1", "files.read", at(NOTES))]
    for action, path, allowed in (
        ("files.list", "notes", True), ("files.read", "notes", False), ("files.list", "/home/me/work", False),
        ("files.list", "/etc", False), ("files.list", "notes/sub", True),
    ):  # fmt: skip
        verdict = decide(case(catalog, call(catalog, action, path=path), held=held, present=False))
        assert isinstance(verdict, Allow) is allowed, (action, path)


def test_a_target_that_is_no_field_needs_no_bound(catalog: Catalog) -> None:
    made = call(catalog, "files.move", path="notes/a", to="notes/b").prepared((("replaces", "b, 3 bytes"),))
    held = [grant("g1", "files.move", (("path", (NOTES,)), ("to", (NOTES,))))]
    assert isinstance(decide(case(catalog, made, held=held, present=False)), Allow)


def test_a_budget_that_is_spent_says_so_only_where_it_would_have_been_enough(catalog: Catalog) -> None:
    """Elsewhere the call asks like any other: another grant's budget is not the reason."""
    other = Held(grant("g1", "files.write", (("bytes", ("1",)), *at("/elsewhere/**"))), spent={("r1", "bytes"): 1})
    governed = Held(grant("g2", "files.write", (("bytes", ("1",)), *at("/**"))), spent={("r1", "bytes"): 1})
    for path, held in (("notes/a", other), ("~/.bashrc", governed)):
        it = case(catalog, call(catalog, "files.write", path=path, text="xx"), present=False)
        assert isinstance(decide(Case(it.call, it.who, it.manifest, [held], (), catalog, ())), Ask)


def test_where_no_rule_settles_it_nothing_is_allowed(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RULES", ())
    verdict = decide(case(catalog, call(catalog, "clock.now")))
    assert verdict == Deny(Fault(error_pb2.CODE_DENIED, "no rule allows it", ""), (("grant", "none"),))


# ---- what a call is


def test_each_of_several_values_is_a_target_in_canonical_form(catalog: Catalog) -> None:
    letter: dict[str, object] = {"to": "A@b.c", "server": "S.b.c", "kind": "k", "text": "x", "stamps": 2}
    made = call(catalog, "post.send", **letter, cc=["D@e.f", "g@H.i"])
    assert made.targets == (
        ("to", "a@b.c"), ("server", "s.b.c"), ("kind", "k"), ("cc", "d@e.f"), ("cc", "g@h.i"),
    )  # fmt: skip
    assert made.amounts == (("size", 1), ("stamps", 2))
    held = grant("g1", "post.send", (("kind", ("k",)), ("server", ("s.b.c",)), ("to", ("*@b.c", "d@e.f"))))
    assert isinstance(decide(case(catalog, made, held=[held], present=False)), Ask)  # g@h.i is not within
    for none in ([], [""], ["d@e.f", ""]):
        with pytest.raises(wire.BadRequest) as refused:
            call(catalog, "post.send", **letter, cc=none)
        assert refused.value.fault.reason == "post.send needs a cc"


def test_what_no_call_can_be_about_is_said_with_its_field(catalog: Catalog) -> None:
    for action, args, reason in (
        ("files.read", {"path": "/a/../b"}, "files.read: path: `..` is not allowed in a path: write the folder itself"),
        ("files.read", {"path": ""}, "files.read needs a path"),
        ("post.pay", {"coin": "usd"}, "post.pay: coin is one of eur"),
    ):
        with pytest.raises(wire.BadRequest) as refused:
            call(catalog, action, **args)
        assert refused.value.fault.reason == reason
    claim = wire.Claim("files.read", {"path": "/a"}, 7)
    made = read(claim, "r9", 3, catalog, "/s", "/h")
    assert (made.run, made.seq, made.line) == ("r9", 3, 7)
    paper = Paper()
    admit(case(catalog, made, held=[grant("g1", "files.read", at("/a"))], present=False), paper, 0)
    [record] = paper.records
    assert isinstance(record, CallMade)
    assert record.line == 7


def test_content_is_shown_by_size_and_the_beginning_of_its_digest(catalog: Catalog) -> None:
    letter: dict[str, object] = {"to": "a@b.c", "server": "s.b.c", "kind": "k", "stamps": 2, "cc": ["d@e.f"]}
    shown = redacted(call(catalog, "post.send", **letter, text="é", seal=12).request, frozenset({"text", "seal"}))
    assert '"text": "‹2 bytes, sha256 4a99557e4033c353›"' in shown
    assert '"seal": "‹2 bytes, sha256 6b51d431df5d7f14›"' in shown
    written = call(catalog, "files.write", path="/a", data="AAEC")
    assert "3 bytes, sha256 ae4b3280e56e2faf" in redacted(written.request, frozenset({"data", "text"}))


# ---- records


def test_what_is_admitted_is_recorded_in_full(catalog: Catalog) -> None:
    made = call(catalog, "files.write", path="notes/a.md", text="hello", create_only=True)
    paper, held = Paper(), grant("g1", "files.write", at(NOTES))
    authorized = admit(case(catalog, made, held=[held], present=False), paper, 77)
    assert isinstance(authorized, Authorized)
    assert (authorized.grant, authorized.seq) == ("g1", 1)
    [record] = paper.records
    assert isinstance(record, CallMade)
    assert record == CallMade(
        run="r1", seq=1, action="files.write", args=record.args, targets=(("path", A),), digest=made.digest,
        decision=pb.CALL_DECISION_ALLOWED, at_ms=77, amounts=(("bytes", 5),), grant="g1",
        reasons=(("manifest", "none: asks for each thing"), ("grant", "g1 files.write")), fault=None, line=0,
    )  # fmt: skip
    assert '"create_only": true' in record.args
    assert "hello" not in record.args
    assert authorized.spend() is made
    with pytest.raises(RuntimeError, match=r"^an Authorized is good for one execution$"):
        authorized.spend()
    with pytest.raises(TypeError, match=r"^only admit makes an Authorized$"):
        Authorized(made, "g1", 1, 0, None)


def test_a_call_of_the_kernels_own_is_recorded_as_inherent(catalog: Catalog) -> None:
    paper = Paper()
    admit(case(catalog, call(catalog, "clock.now")), paper, 5)
    [record] = paper.records
    assert isinstance(record, CallMade)
    assert (record.decision, record.grant, record.at_ms) == (pb.CALL_DECISION_INHERENT, "", 5)


def test_a_refusal_and_an_end_are_recorded_in_full(catalog: Catalog) -> None:
    made, paper = call(catalog, "files.read", path="notes/a.md"), Paper()
    fault = Fault(error_pb2.CODE_DENIED, "no", "ask", "x")
    assert refuse(made, Deny(fault, (("grant", "none"),)), paper, 9) == 1
    assert settle(made, 12, '{"a":1}', None, False, paper) == 2
    assert settle(made, 13, "", fault, True, paper) == 3
    refused, done, failed = paper.records
    assert isinstance(refused, CallMade)
    assert (refused.decision, refused.at_ms, refused.grant) == (pb.CALL_DECISION_REFUSED, 9, "")
    assert (refused.fault, refused.reasons) == (fault, (("grant", "none"),))
    assert done == CallSettled("r1", 1, 12, '{"a":1}', None, False)
    assert failed == CallSettled("r1", 1, 13, "", fault, True)


def test_a_prepared_call_has_its_targets_and_all_else_as_before(catalog: Catalog) -> None:
    made = call(catalog, "files.move", path="a", to="b")
    prepared = made.prepared((("to", "/home/me/work/b"), ("replaces", "b, 3 bytes")))
    assert prepared.targets == (*made.targets, ("replaces", "b, 3 bytes"))
    assert prepared.digest != made.digest
    assert (prepared.request, prepared.rule, prepared.run, prepared.seq) == (made.request, made.rule, "r1", 1)
    assert summary(prepared.rule, prepared.targets) == "move /home/me/work/a to /home/me/work/b"


# ---- bounds


def test_bounds_are_canonical_or_refused(catalog: Catalog) -> None:
    rule = catalog.actions["post.send"]
    given = (("size", ("7 KB",)), ("server", ("A.B.c",)), ("kind", ("K",)), ("none", ("Xy",)), ("to", ("*@B.c",)))
    assert bounds.canonical(rule, given) == (
        ("size", ("7 KB",)), ("server", ("a.b.c",)), ("kind", ("K",)), ("none", ("Xy",)), ("to", ("*@b.c",)),
    )  # fmt: skip
    reading = catalog.actions["files.read"]
    assert bounds.canonical(reading, at("/a/./b")) == at("/a/b")
    with pytest.raises(BadName, match=r"^a path is written from / on$"):
        bounds.canonical(reading, at("~/a"))


def test_the_middle_scope_is_one_step_wider(catalog: Catalog) -> None:
    letter: dict[str, object] = {"to": "a@b.c", "server": "s.b.c", "kind": "k", "text": "x", "stamps": 1}
    made = call(catalog, "post.send", **letter, cc=["d@e.f"])
    exact = bounds.of_call(made, (("size", ("9",)), ("to", ("*@b.c",)), ("stamps", ("3",))))
    assert exact == (
        ("kind", ("k",)), ("server", ("s.b.c",)), ("size", ("9",)), ("stamps", ("3",)), ("to", ("a@b.c", "d@e.f")),
    )  # fmt: skip
    assert dict(bounds.broader(made, exact)) == dict(exact) | {"to": ("*@b.c", "*@e.f")}
    assert bounds.broader(call(catalog, "files.read", path="/a/b"), at("/a/b")) == at("/a/*")
    assert bounds.broader(call(catalog, "files.read", path="/a"), at("/a")) == at("/a")
    assert bounds.broader(call(catalog, "files.list", path="/a/b"), at("/a/b")) == at("/a/b")


def test_bounds_meet_or_do_not(catalog: Catalog) -> None:
    rule = catalog.actions["files.move"]
    both = (("path", ("/a/**",)), ("to", ("/b/**",)))
    assert bounds.overlaps(rule, both, at("/a/x"))
    assert bounds.overlaps(rule, at("/a/x"), both)
    assert not bounds.overlaps(rule, both, at("/c"))
    assert not bounds.overlaps(rule, (), both)
    assert not bounds.overlaps(rule, both, ())
    assert not bounds.overlaps(catalog.actions["post.send"], (("size", ("1",)),), (("size", ("1",)),))


@pytest.mark.parametrize(
    ("wide", "narrow", "within"),
    [
        ((("size", ("10",)),), (("size", ("10",)),), True), ((("size", ("10",)),), (("size", ("11",)),), False),
        ((("size", ("10",)),), (), False), ((), (("size", ("10",)),), True), ((("size", ("10",)),),
        (("size", ("x",)),), False),
        ((("size", ("10", "5")),), (("size", ("6",)),), False), ((), (("nothing", ("1",)),), False),
        ((("size", ("10",)),), (("size", ("11", "9")),), True),
    ],
)  # fmt: skip
def test_counted_bounds_lie_within_or_do_not(
    catalog: Catalog, wide: tuple[tuple[str, tuple[str, ...]], ...], narrow: tuple[tuple[str, tuple[str, ...]], ...],
    within: bool,
) -> None:  # fmt: skip
    named = (("kind", ("k",)), ("server", ("s.b.c",)), ("to", ("a@b.c",)))
    assert bounds.contains(catalog.actions["post.send"], (*named, *wide), (*named, *narrow)) is within


def test_bounds_are_read_in_one_order(catalog: Catalog) -> None:
    given = (("b", ("2", "1")), ("a", ("3",)))
    assert bounds.read(bounds.written(given)) == (("a", ("3",)), ("b", ("2", "1")))
