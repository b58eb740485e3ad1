"""Taken out of what starts programs: the queue, its limits, who may arm, and which version begins."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation, never, out

QUEUE, ARMED, MANIFEST = "events/test_queue.py", "events/test_armed.py", "authority/test_manifest.py"
HOOKS, TOLD = "events/test_hooks.py", "events/test_told.py"

CHECKS: tuple[Mutation, ...] = (
    # ---- 3: nothing is acknowledged before its record is durable, and each event has one run
    out(
        3,
        "an id that was taken in is not taken in again",
        "events",
        "if event in self._queue.seen:",
        "if False:",
        f"{QUEUE}::test_the_same_id_is_taken_in_once_whatever_restarts",
    ),
    out(
        14,
        "a message of many events has a limit",
        "events",
        "if len(request.events) > MOST_TOGETHER:",
        "if False:",
        "events/test_streams.py::test_a_message_of_too_many_takes_none_in",
    ),
    out(
        3,
        "serial is one run at a time",
        "events",
        "if first is None or busy >= queue.triggers[first.trigger].rule.parallel:",
        "if first is None:",
        f"{QUEUE}::test_serial_is_one_at_a_time_in_order",
    ),
    out(
        3,
        "a clock that jumps back brings no time twice",
        "events",
        "return [at_ms] if at_ms > last_ms and not missed else []",
        "return [at_ms] if not missed else []",
        "events/test_schedules.py::test_a_clock_that_jumps_back_brings_nothing_twice",
    ),
    out(
        3,
        "the end of a run settles its event",
        "events",
        "if record.status == pb.RUN_STATUS_DONE:",
        "if False:",
        f"{QUEUE}::test_a_run_that_ends_well_ends_the_row",
    ),
    # ---- 6: an unknown or unenforced setting is an error
    never(
        6,
        "a setting that an event does not have",
        "manifest",
        "key not in known",
        f"{MANIFEST}::test_golden",
    ),
    out(
        6,
        "a period is a number within its bounds",
        "manifest",
        "not good or not least <= value <= MOST_S",
        "False",
        f"{MANIFEST}::test_golden",
    ),
    never(
        6,
        "the runs of a program have one rule",
        "manifest",
        "rule != rules[0]",
        f"{MANIFEST}::test_golden",
    ),
    # ---- 7: authority comes from the person
    out(
        7,
        "a question about arming arms nothing",
        "runs",
        "elif request.confirmed:",
        "else:",
        f"{ARMED}::test_arming_wants_an_act_and_a_manifest_that_names_an_event",
    ),
    never(
        7,
        "a program that goes on failing is paused",
        "events",
        "program.failures >= FAILURES and not program.paused",
        f"{QUEUE}::test_a_program_that_fails_five_times_in_a_row_is_paused_until_the_person_lets_it_go_on",
    ),
    out(
        7,
        "what was refused twice is not asked a third time",
        "runs",
        "if decision.choice == pb.CHOICE_NO and not again:",
        "if decision.choice == pb.CHOICE_NO:",
        f"{ARMED}::test_what_was_refused_twice_is_not_asked_a_third_time_until_the_person_takes_that_back",
    ),
    out(
        14,
        "what a batch weighs",
        "events",
        "if told and size > MAX_BATCH:",
        "if False:",
        f"{QUEUE}::test_a_batch_is_no_larger_than_a_run_can_be_given",
    ),
    # ---- a stranger at a hook
    out(
        7,
        "a hook wants its secret",
        "capabilities/hook",
        "if hook is None or not right:",
        "if hook is None:",
        f"{HOOKS}::test_an_unknown_url_and_a_wrong_secret_look_alike",
    ),
    never(
        7,
        "a hook is called by this machine's own name",
        "capabilities/hook",
        'request.headers.get("host", "").lower() not in [f"{host}:{self.port}" for host in HOSTS]',
        f"{HOOKS}::test_a_page_in_a_browser_reaches_no_hook",
    ),
    never(
        7,
        "a page in a browser calls no hook",
        "capabilities/hook",
        "any(name in request.headers for name in FROM_A_PAGE)",
        f"{HOOKS}::test_a_page_in_a_browser_reaches_no_hook",
    ),
    never(
        7,
        "a hook takes a POST alone",
        "capabilities/hook",
        'request.method != "POST"',
        f"{HOOKS}::test_only_a_post_is_taken",
    ),
    out(
        3,
        "what is told to be kept is on disk",
        "events",
        "return pb.TAKEN_NO_ROOM",
        "return pb.TAKEN_KEPT",
        f"{TOLD}::test_what_cannot_be_recorded_is_not_said_to_be_kept",
    ),
    out(
        3,
        "a hook answers what the kernel said",
        "capabilities/hook",
        "if taken not in KEPT:",
        "if False:",
        f"{HOOKS}::test_what_the_kernel_has_no_room_for_is_to_be_sent_again",
    ),
    never(
        14,
        "the body of what a hook is sent",
        "capabilities/hook",
        "size > limits.BODY_BYTES",
        f"{HOOKS}::test_a_body_that_is_too_large_is_refused_however_it_is_sent",
    ),
    never(
        14,
        "how much one hook is sent",
        "capabilities/hook",
        "not self._buckets.setdefault(trigger, limits.Bucket()).takes()",
        f"{HOOKS}::test_who_sends_too_much_is_told_to_wait_and_others_are_not",
    ),
    out(
        14,
        "how long a request takes to arrive",
        "capabilities/hook",
        "async with asyncio.timeout(limits.SENT_WITHIN_S):",
        "async with asyncio.timeout(600):",
        f"{HOOKS}::test_who_is_slow_is_cut_and_holds_up_nobody",
    ),
    # ---- what a capability tells of is hostile
    out(
        7,
        "a server tells of what it was asked for alone",
        "events",
        'if not wanted or event.trigger not in ("", *wanted) or not _well_formed(event.id, data):',
        "if not _well_formed(event.id, data):",
        f"{TOLD}::test_what_nobody_asked_for_is_not_taken",
    ),
    out(
        14,
        "what a server tells of is small and well formed",
        "events",
        " or not _well_formed(event.id, data):",
        ":",
        f"{TOLD}::test_what_is_not_well_formed_is_not_taken",
    ),
    # ---- 14: limits
    out(
        14,
        "the size of an event",
        "events",
        "len(data.encode()) > MAX_DATA",
        "False",
        f"{QUEUE}::test_an_event_that_is_too_large_or_no_event_is_refused",
    ),
    never(
        14,
        "how many events wait",
        "events",
        "not self._queue.room(to)",
        f"{QUEUE}::test_a_storm_ends_at_a_limit_that_is_said_and_loses_nothing",
    ),
    never(
        14,
        "how many runs events begin at once",
        "events",
        "self._runs.under_way() >= AT_ONCE",
        f"{QUEUE}::test_of_all_programs_no_more_run_at_once_than_the_machine_bears",
    ),
    out(
        14,
        "what is over is not kept in memory",
        "events",
        "        while len(self.dead) > MAX_DEAD:\n            del self.dead[next(iter(self.dead))]\n",
        "",
        f"{QUEUE}::test_what_is_over_takes_no_memory_however_much_it_was",
    ),
)
