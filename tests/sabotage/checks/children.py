"""Taken out of what a run gives to those it starts: a child never has more than its parent, and ends with it."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

CHILDREN, ROOM = "kernel/test_children.py", "kernel/test_room_for_children.py"

CHECKS = (
    never(9, "a child has nothing of what its program was granted", "kernel",
        "who.above and grant.run != who.run",
        f"{CHILDREN}::test_a_child_has_nothing_of_what_its_program_was_granted"),
    never(9, "what a parent may not do it cannot give", "runs",
        "not bounds.contains(catalog.actions[line.action], each.grant.bounds, asked)",
        f"{ROOM}::test_a_child_gets_what_its_parent_holds_within_its_manifest_and_unasked"),
    out(9, "what is good for one call cannot be given", "runs",
        "each.grant.terms.choice == pb.CHOICE_ONCE or ", "",
        f"{ROOM}::test_what_is_good_for_one_call_cannot_be_given"),
    out(9, "what is asked each time cannot be given", "runs",
        "if _unasked(run, line, asked, catalog):", "if True:",
        f"{ROOM}::test_a_child_gets_what_its_parent_holds_within_its_manifest_and_unasked"),
    out(9, "what a child uses its parent has used", "kernel",
        "for held in self.chain(call.grant):", "for held in [self.held[call.grant]]:",
        f"{CHILDREN}::test_what_a_child_uses_its_parent_has_used"),
    out(9, "a child is refused where the budget of its parent is used up", "kernel",
        "for each in (held, *held.above):", "for each in (held,):",
        f"{CHILDREN}::test_a_child_is_refused_where_its_parent_has_used_the_budget_up"),
    never(8, "a program that was not approved is no child", "runs", "seen is None",
        f"{CHILDREN}::test_a_program_that_the_person_did_not_approve_is_no_child"),
    never(9, "nobody joins a child of another", "runs",
        "parent(child) != run.id or not (child in self._ledger.open or self._ledger.past(child))",
        f"{CHILDREN}::test_nobody_joins_or_cancels_a_child_of_another"),
    never(14, "a tree has a depth", "runs", 'run.count(".") >= DEPTH',
        f"{CHILDREN}::test_children_of_children_end_at_some_depth"),
    never(14, "a run has so many children at once", "runs", "len(below.get(run, ())) >= WIDTH",
        f"{ROOM}::test_a_tree_has_so_many_runs"),
    never(14, "a tree has so many runs at once", "runs",
        "sum(len(each) for above, each in below.items() if root(above) == top) >= TREE",
        f"{ROOM}::test_a_tree_has_so_many_runs"),
    never(14, "a tree starts so many a second", "runs", "left < 1",
        f"{ROOM}::test_a_tree_has_so_many_runs"),
    never(3, "a call that is made again finds the child that is there", "runs",
        "child in self._ledger.open or self._ledger.past(child)",
        f"{ROOM}::test_a_call_that_is_made_again_finds_the_child_that_is_there"),
    out(14, "a child has its parent's limits at most", "runs",
        "Limits(*map(min, msgspec.structs.astuple(manifest.limits), began.within))", "manifest.limits",
        f"{CHILDREN}::test_a_child_has_no_higher_limits_than_its_parent"),
    out(9, "a run takes with it what it did not join", "runs",
        "            await self._roster.ends(run.id)\n", "",
        f"{CHILDREN}::test_a_run_that_ends_takes_with_it_what_it_did_not_join"),
    never(9, "a child whose parent is over is ended by the next kernel", "runs",
        "parent(run_id) and parent(run_id) not in self._ledger.open",
        f"{CHILDREN}::test_a_child_whose_parent_is_over_is_ended_by_the_next_kernel"),
)  # fmt: skip
