"""Taken out of what starts programs: the queue, its limits, who may arm, and which version begins."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation, never, out

QUEUE, ARMED, MANIFEST = "events/test_queue.py", "events/test_armed.py", "authority/test_manifest.py"

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
        3,
        "serial is one run at a time",
        "events",
        "if first and busy < queue.triggers[first.trigger].rule.parallel else None",
        "if first else None",
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
        "kernel",
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
        "        if len(self.dead) > MAX_DEAD:\n            del self.dead[next(iter(self.dead))]\n",
        "",
        f"{QUEUE}::test_what_is_over_takes_no_memory_however_much_it_was",
    ),
)
