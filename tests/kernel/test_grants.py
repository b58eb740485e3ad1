"""The table of grants as a fold: never overdrawn, never longer lived than a parent, whatever the order of things."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentos.home.history import Record, RunBegan
from agentos.home.records import Denial, Revoked
from agentos.kernel.grants import Standing, Table
from agentos.kernel.standing import state, subtree, under_way
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import WHO, at, grant, made, settled

READ = at("/home/me/**")


def ids(table: Table, who: Standing = WHO, now_ms: int = 0) -> set[str]:
    return {held.grant.id for held in table.live(who, now_ms)}


@given(st.integers(1, 5), st.lists(st.sampled_from(["call", "settle", "release"]), max_size=40))
def test_a_grant_is_never_overdrawn(uses: int, steps: list[str]) -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, uses=uses)])
    under_way: list[int] = []
    used = 0
    for seq, step in enumerate(steps, 1):
        if step == "call" and ids(table):
            table.fold([made(seq, "g1", amounts=(("bytes", 3),))])
            under_way.append(seq)
        elif step != "call" and under_way:
            table.fold([settled(under_way.pop(0), released=step == "release")])
            used += step == "settle"
        held = table.held["g1"]
        assert used + len(under_way) == held.uses <= uses
        assert held.uses_left == uses - held.uses
        assert held.spent.get(("r1", "bytes"), 0) == 3 * held.uses


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """For each grant the number of its parent, which is older; -1 for none."""
    return [draw(st.integers(-1, number - 1)) for number in range(draw(st.integers(1, 12)))]


@given(trees(), st.data())
def test_revoking_takes_the_subtree_and_nothing_else(parents: list[int], data: st.DataObject) -> None:
    table = Table()
    table.fold(
        grant(f"g{number}", "files.read", READ, parent=f"g{parent}" if parent >= 0 else "")
        for number, parent in enumerate(parents)
    )
    root = data.draw(st.integers(0, len(parents) - 1))
    whole = data.draw(st.booleans())
    taken = {root}
    for number, parent in enumerate(parents):
        taken |= {number} if parent in taken else set()
    assert set(subtree(table, f"g{root}")) == {f"g{number}" for number in taken}
    table.fold([Revoked(subtree(table, f"g{root}") if whole else (f"g{root}",))])
    assert ids(table) == {f"g{number}" for number in range(len(parents)) if number not in taken}


def test_a_child_never_outlives_its_parent() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, pb.CHOICE_UNTIL, until_ms=100)])
    table.fold([grant("g2", "files.read", READ, parent="g1"), grant("g3", "files.read", READ, parent="g9")])
    assert ids(table, now_ms=99) == {"g1", "g2"}
    assert ids(table, now_ms=100) == set()
    assert state(table, table.held["g2"], 100) == pb.GRANT_STATE_EXPIRED


def test_a_grant_until_a_time_that_is_none_holds_never() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, pb.CHOICE_UNTIL), grant("g2", "files.read", READ, parent="g1")])
    assert ids(table, now_ms=1) == set()


def test_terms_say_whom_a_grant_reaches() -> None:
    table = Table()
    table.fold(
        [
            grant("once", "files.read", READ, pb.CHOICE_ONCE, uses=1),
            grant("run", "files.read", READ, pb.CHOICE_RUN),
            grant("until", "files.read", READ, pb.CHOICE_UNTIL, until_ms=50),
            grant("version", "files.read", READ),
            grant("terminal", "files.read", READ, pb.CHOICE_TERMINAL, terminal=(7, 9)),
            grant("unknown", "files.read", READ, pb.CHOICE_UNSPECIFIED),
        ]
    )
    next_run = Standing("r2", WHO.program, WHO.path, WHO.digest)
    next_version = Standing("r3", WHO.program, WHO.path, "d2", (7, 9))
    namesake = Standing("r1", WHO.program, "/elsewhere/links.py", WHO.digest, (7, 9))
    assert ids(table) == {"once", "run", "until", "version"}
    assert ids(table, next_run) == {"until", "version"}
    assert ids(table, next_run, now_ms=50) == {"version"}
    assert ids(table, next_version) == {"terminal"}
    assert ids(table, Standing("r3", WHO.program, WHO.path, "d2", (7, 8))) == set()
    assert ids(table, namesake) == set()


def test_the_end_of_a_run_is_the_end_of_what_was_granted_for_it() -> None:
    table = Table()
    table.fold(
        [
            grant("once", "files.read", READ, pb.CHOICE_ONCE, uses=1),
            grant("run", "files.read", READ, pb.CHOICE_RUN),
            grant("version", "files.read", READ),
        ]
    )
    table.end(WHO.run)
    states = {name: state(table, held, 0) for name, held in table.held.items()}
    assert states == {
        "once": pb.GRANT_STATE_EXPIRED,
        "run": pb.GRANT_STATE_EXPIRED,
        "version": pb.GRANT_STATE_LIVE,
    }


def test_what_is_unknown_keeps_its_reservation() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, uses=1), made(1, "g1")])
    assert [call.seq for call in under_way(table, ["g1"])] == [1]
    table.fold([settled(1, released=False)])
    assert table.held["g1"].uses_left == 0
    assert not under_way(table, ["g1"])


def test_a_grant_that_was_never_used_says_so() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ), grant("g2", "files.read", READ, uses=2)])
    assert [(each.uses, each.uses_left, each.last_used_ms) for each in table.held.values()] == [(0, -1, 0), (0, 2, 0)]
    table.fold([made(7, "g2")])
    assert (table.held["g2"].uses_left, table.held["g2"].last_used_ms) == (1, 7)


def test_what_was_used_beyond_its_end_leaves_nothing() -> None:
    """No kernel admits that; a journal that says so all the same opens no grant."""
    table = Table()
    table.fold([grant("g1", "files.read", READ, uses=1), made(1, "g1"), made(2, "g1")])
    assert table.held["g1"].uses_left == 0
    assert ids(table) == set()


def test_a_call_that_is_made_again_counts_once() -> None:
    """Its grant is as it was before it, and so is what that one hangs on; other grants are as they are."""
    table = Table()
    table.fold([grant("g1", "files.read", READ, uses=1), grant("g2", "files.read", READ, parent="g1", uses=1)])
    table.fold([grant("g3", "files.read", READ, uses=1), made(1, "g3")])
    last = made(2, "g2", amounts=(("bytes", 3),))
    table.fold([made(3, "g2", amounts=(("bytes", 4), ("files", 1))), settled(3, released=True), last])
    assert ids(table) == set()
    [held] = table.live(WHO, 0, last)
    assert held.grant.id == "g2"
    for each in (held, *held.above):
        assert each.uses == 0
        assert each.spent == {("r1", "bytes"): 0, ("r1", "files"): 0}
    assert table.held["g2"].uses == 1, "what is folded stays as it is"


def test_what_a_run_spent_and_could_use_alone_is_forgotten_with_it() -> None:
    """A decision looks at what can still matter, however long the history of a program is."""
    table = Table()
    table.fold([grant("run", "files.read", READ, pb.CHOICE_RUN), grant("version", "files.read", READ)])
    table.fold([made(1, "version", amounts=(("bytes", 3),)), made(2, "version", "r2", amounts=(("bytes", 4),))])
    table.end(WHO.run)
    assert table.held["version"].spent == {("r2", "bytes"): 4}
    assert table._of_path == {WHO.path: ["version"]}


def test_a_refusal_for_good_is_taken_back_like_a_grant() -> None:
    table = Table()
    table.fold([Denial("d1", WHO.run, WHO.program, WHO.path, "files.read", READ, 1)])
    assert [each.id for each in table.denied(WHO.path)] == ["d1"]
    assert not table.denied("/elsewhere/links.py")
    table.fold([Revoked(("d1",))])
    assert not table.denied(WHO.path)


def test_a_child_has_what_was_given_to_it_and_nothing_of_its_program() -> None:
    table = Table()
    table.fold([grant("version", "files.read", READ), grant("parent", "files.read", READ, pb.CHOICE_RUN)])
    for run in ("r1.1", "r1.2"):
        table.fold([grant(f"of {run}", "files.read", READ, pb.CHOICE_RUN, run=run, parent="parent")])
    child = Standing("r1.1", WHO.program, WHO.path, WHO.digest, above=(WHO.path,))
    assert ids(table) == {"version", "parent"}
    assert ids(table, child) == {"of r1.1"}


def test_who_sits_at_no_terminal_has_no_grant_of_one() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, pb.CHOICE_TERMINAL, terminal=(0, 0))])
    assert ids(table) == set()


def test_a_grant_by_path_alone_is_found_by_what_is_written_at_or_above_it() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, pb.CHOICE_TERMINAL, terminal=(7, 9)), grant("g2", "files.read", READ)])
    assert [table.rewritten([path]) for path in (WHO.path, "/home/me/work", "/home/me/wor", "/home/me/x")] == [
        ("g1",), ("g1",), (), ()
    ]  # fmt: skip
    table.fold([Revoked(("g1",))])
    assert table.rewritten([WHO.path]) == ()


def test_a_settling_counts_once() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ, uses=2), made(1, "g1"), made(2, "g1")])
    table.fold([settled(1, released=True), settled(1, released=True), settled(9, released=True)])
    assert table.held["g1"].uses_left == 1


def test_the_same_records_give_the_same_table() -> None:
    records: list[Record] = [
        grant("g1", "files.read", READ, uses=3), made(1, "g1"), settled(1), made(2, "g1"), settled(2, released=True)
    ]  # fmt: skip
    one, two = Table(), Table()
    one.fold(records)
    for record in records:
        two.fold([record])
    assert one.held == two.held


def test_a_run_that_is_over_leaves_nothing_in_memory_of_what_it_spent_or_had_under_way() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ), made(1, "g1", amounts=(("bytes", 3),)), made(2, "g1", "r2")])
    table.fold([made(3, "g1", amounts=(("bytes", 3),)), settled(3), made(1, "g1", "r3", (("bytes", 5),))])
    table.end("r1")
    table.end("r3")  # in which nothing was granted
    assert table.held["g1"].spent == {}
    assert table.held["g1"].uses == 4
    assert list(table.admitted) == ["r2"]
    assert "r1" not in table._of_run


def test_the_bounds_of_a_call_are_its_grants_and_the_kernels_own_have_none() -> None:
    table = Table()
    table.fold([grant("g1", "files.read", READ)])
    assert table.bounds("g1") == READ
    assert table.bounds("") == ()


def test_who_says_no_terminal_is_where_a_run_without_one_is() -> None:
    began = RunBegan("r1", "prog", WHO.path, WHO.digest, "/", "/", (), "", 1)
    assert Standing("r1", "prog", WHO.path, WHO.digest).terminal == began.terminal
