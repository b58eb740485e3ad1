"""Taken out of what goes on after a crash: nothing is done twice on a guess, and nothing that waits is forgotten."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

RECALLED, CUT = "kernel/test_recalled.py", "kernel/test_cut.py"
MARKS = "files/test_marks.py"

CHECKS = (
    never(3, "a call that differs from the record ends the run", "kernel",
        "made.action != call.rule.name or made.digest != same.digest",
        f"{RECALLED}::test_another_call_than_the_one_on_record_ends_the_run"),
    never(3, "what was refused stays refused when it is played again", "kernel",
        "made.decision == pb.CALL_DECISION_REFUSED",
        f"{RECALLED}::test_what_was_refused_stays_refused_though_it_is_allowed_by_now"),
    out(3, "what happened is not made again", "kernel",
        "        if fate == capability_pb2.FATE_HAPPENED:\n            return await self._settled",
        "        if False:\n            return await self._settled",
        f"{RECALLED}::test_what_happened_is_not_done_again_and_its_reply_is_what_was_found"),
    never(3, "what nobody can tell is not made again", "kernel",
        "fate != DID_NOT",
        f"{RECALLED}::test_what_nobody_can_tell_is_put_to_the_person_and_never_done_on_a_guess"),
    out(3, "what was revoked is not made again under another grant", "kernel",
        "verdict.grant == made.grant and ", "",
        f"{RECALLED}::test_what_was_revoked_is_not_made_again_under_another_grant"),
    never(3, "an action is made again only where its method says so", "kernel",
        "rule.again_field and getattr(call.request, rule.again_field) not in rule.again_among",
        f"{CUT}::test_what_the_person_settled_is_gone_on_with_by_the_next_kernel"),
    out(3, "what the next kernel goes on with is not settled as interrupted", "kernel",
        "if actor.let_go:", "if False:",
        f"{CUT}::test_when_the_kernel_is_asked_to_stop"),
    out(3, "a call whose cell was lost is waited for", "kernel/cells",
        "if self.ended.done() and (self.killed or not self._lost()):", "if True:",
        f"{CUT}::test_when_its_cell_is_lost"),
    out(3, "what the person cleared is made once", "kernel",
        "cleared=not record.spent", "cleared=True",
        f"{CUT}::test_a_post_that_was_not_sent_is_sent_when_the_person_says_so_and_once"),
    out(3, "what was settled comes back with the next kernel", "kernel",
        "            self.open[record.run] = 0  # what it waited for is there, whatever becomes of this kernel\n", "",
        f"{CUT}::test_what_the_person_settled_is_gone_on_with_by_the_next_kernel"),
    out(3, "a run that is over asks no more what became of its calls", "kernel",
        "            self.unknown -= {each for each in self.unknown if each[0] == record.run}\n", "",
        f"{CUT}::test_a_run_that_waits_for_the_person_and_is_cancelled_asks_no_more"),
    out(3, "runs that were cut off are gone on with", "kernel",
        "        kernel.runs.resume()\n", "",
        f"{CUT}::test_when_its_reply_is_on_disk"),
    out(3, "a missing mark means something only as far as marks go back", "capabilities/files",
        "return False if back + TICK_MS <= since_ms else None", "return False",
        f"{MARKS}::test_a_file_that_was_replaced_since_cannot_be_told",
        f"{MARKS}::test_more_appends_than_are_kept_are_not_taken_for_none"),
    out(3, "an append is marked before it is made", "capabilities/files",
        "    kept.add(key, size)\n    kept.write(fd)\n", "",
        f"{MARKS}::test_what_was_appended_is_found_whatever_came_after_it"),
    out(3, "what is there of an append is not added again", "capabilities/files",
        "write_all(fd, content[written:])", "write_all(fd, content)",
        f"{MARKS}::test_what_was_written_in_part_is_made_whole_and_not_twice"),
)  # fmt: skip
