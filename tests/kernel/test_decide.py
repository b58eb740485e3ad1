"""decide: each of its rules as a table. Nothing here runs; what is tried is the policy itself."""

from __future__ import annotations

import pytest

from agentos.home.records import Denial
from agentos.kernel import admit as admission
from agentos.kernel.admit import Authorized, admit
from agentos.kernel.decide import RULES, Allow, Ask, Deny, decide
from agentos.kernel.scope import prefixes
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.kernel.cases import VAULT, WHO, Paper, at, call, case, grant, line

NOTES = "/home/me/work/notes/**"
WITHIN = {"path": "notes/a.md"}


def test_the_order_of_the_rules_is_the_policy() -> None:
    names = [rule.__name__ for rule in RULES]
    assert names == ["inherent", "unreachable", "ceiling", "never_again", "granted", "budget", "lent", "open_question"]


def test_the_kernels_own_calls_need_no_grant(catalog: Catalog) -> None:
    verdict = decide(case(catalog, call(catalog, "clock.now")))
    assert isinstance(verdict, Allow)
    assert verdict.grant == ""


@pytest.mark.parametrize("path", [VAULT, VAULT + "/home.db", "/proc/self/environ", "/sys/x", "/dev/sda", "/run/x"])
def test_no_grant_reaches_what_is_never_reachable(catalog: Catalog, path: str) -> None:
    everything = grant("g1", "files.read", at("/**", path))
    verdict = decide(case(catalog, call(catalog, "files.read", path=path), held=[everything], present=False))
    assert isinstance(verdict, Deny)
    assert "not reachable" in verdict.fault.reason


def test_a_neighbour_of_the_kernels_home_is_no_part_of_it(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path=VAULT + "-notes/a")
    assert isinstance(decide(case(catalog, made, held=[grant("g1", "files.read", at("/**"))], present=False)), Allow)


def test_outside_the_manifest_is_refused_whatever_is_granted(catalog: Catalog) -> None:
    made = call(catalog, "files.read", path="secret.txt")
    held = [grant("g1", "files.read", at("/home/me/work/**"))]
    verdict = decide(case(catalog, made, line("files.read", at(NOTES)), held=held))
    assert isinstance(verdict, Deny)
    assert verdict.fault.code == error_pb2.CODE_DENIED
    assert '"files.read" = { path = ["/home/me/work/secret.txt"] }' in verdict.fault.hint
    assert dict(verdict.reasons)["manifest"] == "outside (links.py:5 has files.read notes/**)"


def test_inside_the_manifest_without_a_grant_asks(catalog: Catalog) -> None:
    verdict = decide(case(catalog, call(catalog, "files.read", **WITHIN), line("files.read", at(NOTES))))
    assert isinstance(verdict, Ask)
    assert (verdict.once, verdict.why) == (False, "not granted yet")


def test_a_live_grant_allows(catalog: Catalog) -> None:
    held = [grant("g1", "files.read", at(NOTES))]
    found = case(catalog, call(catalog, "files.read", **WITHIN), line("files.read", at(NOTES)), held=held)
    verdict = decide(found)
    assert isinstance(verdict, Allow)
    assert verdict.grant == "g1"


@pytest.mark.parametrize(
    ("granted", "made", "allowed"),
    [
        ("files.read", "files.stat", True),
        ("files.read", "files.list", True),
        ("files.write", "files.append", True),
        ("files.write", "files.mkdir", True),
        ("files.write", "files.read", False),
        ("files.read", "files.write", False),
        ("files.append", "files.write", False),
        ("files.write", "files.trash", False),
        ("files.stat", "files.read", False),
    ],
)
def test_a_grant_covers_what_its_action_implies_and_no_more(
    catalog: Catalog, granted: str, made: str, allowed: bool
) -> None:
    verdict = decide(case(catalog, call(catalog, made, **WITHIN), held=[grant("g", granted, at(NOTES))], present=False))
    assert isinstance(verdict, Allow) == allowed


@pytest.mark.parametrize("bounds", [(), (("path", ()),), (("other", (NOTES,)),)])
def test_a_grant_with_an_empty_bound_covers_nothing(
    catalog: Catalog, bounds: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    held = [grant("g", "files.read", bounds)]
    assert isinstance(decide(case(catalog, call(catalog, "files.read", **WITHIN), held=held, present=False)), Ask)


def test_every_target_must_lie_within(catalog: Catalog) -> None:
    move = call(catalog, "files.move", path="notes/a", to="elsewhere/a")
    held = [grant("g", "files.move", (("path", (NOTES,)), ("to", (NOTES,))))]
    assert isinstance(decide(case(catalog, move, held=held, present=False)), Ask)


def test_never_again_comes_before_any_grant(catalog: Catalog) -> None:
    said = Denial("d1", "r0", WHO.program, WHO.path, "files.read", at("/home/me/work/notes/a.md"), 0)
    held = [grant("g1", "files.read", at(NOTES))]
    made = call(catalog, "files.read", **WITHIN)
    verdict = decide(case(catalog, made, line("files.read", at(NOTES)), held=held, denials=[said]))
    assert isinstance(verdict, Deny)
    assert "revoke d1" in verdict.fault.hint


GOVERNED = [
    ".bashrc", "x/.git/hooks/pre-commit", "lib/evil.pth", ".ssh/authorized_keys", "a/.vscode/tasks.json", ".BASHRC",
    "bin/ls", "conftest.py", "x/agent.toml", "x/.config/fish", "x/.config", ".bashrc.d/a.sh", ".vim/plugin/a.vim",
    ".local/share/nvim/site/plugin/a.lua", ".config/tmux/tmux.conf", "x/.devcontainer/devcontainer.json",
    "x/.claude/settings.json", "x/claude.md", ".mcp.json", "bare/HEAD", "x/__pycache__/a.pyc",
]  # fmt: skip


@pytest.mark.parametrize("path", GOVERNED)
def test_what_executes_or_configures_is_asked_each_time(catalog: Catalog, path: str) -> None:
    wide = at("/home/me/work/**")
    held = [grant("g1", "files.write", wide)]
    verdict = decide(case(catalog, call(catalog, "files.write", path=path), line("files.write", wide), held=held))
    assert isinstance(verdict, Ask)
    assert verdict.once
    assert verdict.why.startswith("GOVERN")


@pytest.mark.parametrize("path", GOVERNED)
def test_reading_there_is_a_read_like_any_other(catalog: Catalog, path: str) -> None:
    held = [grant("g1", "files.read", at("/home/me/work/**"))]
    assert isinstance(decide(case(catalog, call(catalog, "files.read", path=path), held=held, present=False)), Allow)


def test_ask_always_wants_a_grant_for_this_very_call(catalog: Catalog) -> None:
    made, other = call(catalog, "files.read", **WITHIN), call(catalog, "files.read", path="notes/b.md")
    always = line("files.read", at(NOTES), ask_always=True)
    standing = grant("g1", "files.read", at(NOTES))
    once = grant("g2", "files.read", at(NOTES), pb.CHOICE_ONCE, call=made.digest, uses=1)
    assert isinstance(decide(case(catalog, made, always, held=[standing])), Ask)
    assert isinstance(decide(case(catalog, made, always, held=[once])), Allow)
    assert isinstance(decide(case(catalog, other, always, held=[once])), Ask)


def test_a_once_is_for_the_call_that_was_shown_in_all_its_arguments(catalog: Catalog) -> None:
    shown = call(catalog, "files.write", path="notes/a.md", text="hello")
    other = call(catalog, "files.write", path="notes/a.md", text="evil")
    once = grant("g", "files.write", at("/home/me/work/notes/a.md"), pb.CHOICE_ONCE, call=shown.digest, uses=1)
    assert isinstance(decide(case(catalog, shown, held=[once], present=False)), Allow)
    assert isinstance(decide(case(catalog, other, held=[once], present=False)), Ask)


def test_a_budget_is_a_sum_over_the_run(catalog: Catalog) -> None:
    bounds = (("bytes", ("8",)), ("path", (NOTES,)))
    made = call(catalog, "files.write", path="notes/a.md", text="12345")
    found = case(catalog, made, held=[grant("g", "files.write", bounds)], present=False)
    assert isinstance(decide(found), Allow)
    found.held[0].spent["r1", "bytes"] = 4
    verdict = decide(found)
    assert isinstance(verdict, Deny)
    assert (verdict.fault.code, verdict.fault.detail) == (error_pb2.CODE_LIMIT, "quota")
    found.held[0].spent = {("r2", "bytes"): 4}
    assert isinstance(decide(found), Allow)


def test_what_no_rule_settles_is_denied(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentos.kernel.decide.RULES", ())
    assert isinstance(decide(case(catalog, call(catalog, "clock.now"))), Deny)


# ---- admit


def test_nothing_but_admit_makes_an_authorized(catalog: Catalog) -> None:
    with pytest.raises(TypeError):
        Authorized(call(catalog, "files.read", **WITHIN), "g1", 1, 0, object())
    assert not [name for name in dir(admission) if isinstance(getattr(admission, name), Authorized)]


def test_an_authorized_is_good_for_one_execution(catalog: Catalog) -> None:
    held = [grant("g1", "files.read", at(NOTES))]
    paper = Paper()
    outcome = admit(case(catalog, call(catalog, "files.read", **WITHIN), held=held, present=False), paper, 5)
    assert isinstance(outcome, Authorized)
    assert len(paper.records) == outcome.seq == 1
    outcome.spend()
    with pytest.raises(RuntimeError):
        outcome.spend()


def test_a_question_leaves_no_trace(catalog: Catalog) -> None:
    paper = Paper()
    assert isinstance(admit(case(catalog, call(catalog, "files.read", **WITHIN), present=False), paper, 5), Ask)
    assert not paper.records


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("/a/b/**", ("/a/b", "/a/b/**")),
        ("/a/b", ("/a/b",)),
        ("/**/.config/fish/**", ("/**/.config", "/**/.config/fish", "/**/.config/fish/**")),
    ],
)
def test_the_places_on_the_way_to_one_are_those_below_what_is_given(pattern: str, places: tuple[str, ...]) -> None:
    assert prefixes(pattern) == places
