"""Taken out of the path of a call: who makes authority, what is on disk before what, and what a refusal leaves."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

DECIDE, PATH, KILLED = "kernel/test_decide.py", "kernel/test_path.py", "kernel/test_killed_kernel.py"
AUTHORITY, HOSTILE = "kernel/test_authority.py", "kernel/test_hostile.py"

CHECKS = (
    never(1, "only admit makes an Authorized", "kernel",
        "seal is not _seal", f"{DECIDE}::test_nothing_but_admit_makes_an_authorized"),
    never(1, "an Authorized is good for one execution", "kernel",
        "self._spent", f"{DECIDE}::test_an_authorized_is_good_for_one_execution"),
    # ---- 3: durable
    out(3, "a change is on disk before it is made", "kernel",
        "await self._ledger.durable(authorized.seq)", "pass",
        f"{PATH}::test_a_change_is_on_disk_before_it_is_made_and_before_it_is_told"),
    out(3, "a change is settled on disk before it is told", "kernel",
        "            await self._ledger.durable(seq)\n", "            pass\n",
        f"{PATH}::test_a_change_is_on_disk_before_it_is_made_and_before_it_is_told"),
    out(3, "a refusal is on disk before it is told", "kernel",
        "await self._ledger.durable(actor.refused_at)", "pass",
        f"{PATH}::test_what_is_refused_is_recorded_with_its_reason_and_has_no_effect"),
    out(3, "a grant is on disk before the answer is acknowledged", "runs",
        "await self._ledger.durable(self._ledger.record(told, *records))", "self._ledger.record(told, *records)",
        f"{KILLED}::test_what_was_acknowledged_survives"),
    out(3, "what a manifest was granted is on disk before it is told", "runs",
        "await self._ledger.durable(self._desk.grant_lines(asking, run.who))",
        "self._desk.grant_lines(asking, run.who)",
        f"{KILLED}::test_what_was_acknowledged_survives"),
    out(3, "a run's end is on disk before it is told", "runs",
        "            await self._ledger.durable(self._ledger.record(ended))", "            self._ledger.record(ended)",
        f"{KILLED}::test_what_was_acknowledged_survives"),
    out(3, "a revoked grant is so on disk before that is told", "kernel",
        "await _done(ledger.durable(ledger.record(Revoked(ids))), context)", "ledger.record(Revoked(ids))",
        f"{KILLED}::test_what_was_acknowledged_survives"),
    # ---- 7: the shell
    out(7, "every call of a shell carries the credential", "kernel",
        "if hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._wanted):", "if True:",
        f"{HOSTILE}::test_without_the_credential_nothing_is_answered"),
    # ---- 13: refusals
    out(13, "a refusal is recorded", "kernel",
        "refuse(call, verdict, self._ledger, self._now_ms())",
        'refuse(call, verdict, type("Nowhere", (), {"record": lambda *made: 0})(), self._now_ms())',
        f"{PATH}::test_what_is_refused_is_recorded_with_its_reason_and_has_no_effect"),
    out(13, "a claim that is no call is recorded", "kernel",
        "actor.refused_at = self._ledger.record(\n", "actor.refused_at = len(\n",
        f"{PATH}::test_what_is_refused_is_recorded_with_its_reason_and_has_no_effect"),
    out(13, "what is refused is not looked at", "kernel",
        "        if isinstance(verdict, Deny):\n            return self._refuse(actor, slot, verdict)\n"
        "        standing =",
        "        standing =",
        f"{PATH}::test_what_a_call_would_touch_is_not_looked_at_before_it_may_be"),
    out(13, "a refusal names the next step", "kernel",
        'return _deny(f"outside what {case.who.program} may ever ask", hint, reasons)',
        'return _deny(f"outside what {case.who.program} may ever ask", "", reasons)',
        f"{DECIDE}::test_outside_the_manifest_is_refused_whatever_is_granted"),
    out(13, "a no is not asked again in the same run", "kernel",
        "for call, ask in asking if call.digest not in actor.declined]", "for call, ask in asking]",
        f"{AUTHORITY}::test_no_is_a_no_for_the_run_and_asked_again_in_the_next"),
    out(13, "a no holds though the run waited for it without a cell", "runs",
        "_declined(self._ledger.answered(run.id)) if run.again else set()", "set()",
        "kernel/test_replay.py::test_a_no_to_the_first_thing_that_a_run_does_is_kept_while_it_waits"),
    out(13, "what a capability raises tells nothing of the host", "capabilities",
        'return Unavailable("the capability failed",', "return Unavailable(str(problem),",
        "servers/test_walls.py::test_what_it_raises_tells_nothing_of_the_host"),
)  # fmt: skip
