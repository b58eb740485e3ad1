"""Taken out of the reader of pages, and out of what says that a run has read from outside."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

BOMBS, TURNS, ARTICLES = "pages/test_bombs.py", "pages/test_turns.py", "pages/test_articles.py"
OUTSIDE, CATALOG = "kernel/test_outside.py", "authority/test_catalog.py"
READER = "capabilities/pages"

CHECKS = (
    # ---- 10: what came from outside is known as that
    out(
        10,
        "a reply from outside is recorded as such",
        "kernel",
        "foreign=call.rule.foreign and fault is None",
        "foreign=False",
        f"{OUTSIDE}::test_what_came_from_outside_marks_its_call_and_every_call_after_it",
    ),
    out(
        10,
        "a run remembers that it has read from outside",
        "kernel",
        "if call.rule.foreign:\n",
        "if False:\n",
        f"{OUTSIDE}::test_what_came_from_outside_marks_its_call_and_every_call_after_it",
    ),
    out(
        10,
        "a call after that says so",
        "kernel",
        "line=call.line, outside=call.outside",
        "line=call.line",
        f"{OUTSIDE}::test_what_came_from_outside_marks_its_call_and_every_call_after_it",
    ),
    out(
        10,
        "a claim that is no call says so too",
        "kernel",
        "line=claim.line, outside=bool(actor.outside)",
        "line=claim.line",
        f"{OUTSIDE}::test_what_came_from_outside_marks_its_call_and_every_call_after_it",
    ),
    out(
        10,
        "a question says where the run has read from",
        "runs",
        "asking[0][1].why, False, outside, part=actor.alone)",
        "asking[0][1].why, False, part=actor.alone)",
        "pages/test_kernel_pages.py::test_what_is_asked_after_reading_a_page_says_so_before_a_yes",
    ),
    out(
        10,
        "a person sees it in the question",
        "shell",
        '[["note", outside(prompt.outside)]] if prompt.outside else []\n    wide',
        "[]\n    wide",
        "shell/test_prompt.py::test_a_question_says_where_the_run_has_read_from",
    ),
    # ---- 14: bombs
    never(
        14,
        "a page has a size",
        READER,
        "len(request.html) > MOST_HTML",
        f"{BOMBS}::test_a_page_beyond_its_size_is_refused",
    ),
    never(
        14,
        "a page has so many tags",
        READER,
        'text.count("<") > MOST_TAGS',
        f"{BOMBS}::test_what_is_too_much_is_refused_with_what_to_do",
    ),
    never(
        14,
        "a page has so many elements",
        READER,
        "sum(1 for _ in tree.iter()) > MOST_ELEMENTS",
        f"{BOMBS}::test_what_is_too_much_is_refused_with_what_to_do",
    ),
    out(
        14,
        "a text has an end",
        READER,
        "whole[:MOST_TEXT].decode",
        "whole.decode",
        f"{BOMBS}::test_a_long_text_is_cut_and_it_says_so",
    ),
    out(
        14,
        "a page that takes too long is interrupted",
        READER,
        "attempt.interrupt()\n",
        "pass\n",
        f"{TURNS}::test_what_runs_on_in_python_is_ended_alone",
    ),
    never(
        14,
        "a page that cannot be interrupted is given up",
        READER,
        "spent >= GIVE_UP_S",
        f"{TURNS}::test_what_cannot_be_ended_alone_is_told_apart_from_those_that_waited",
    ),
    out(
        14,
        "a page that lets nobody run is ended by the system",
        READER,
        "signal.setitimer(signal.ITIMER_PROF, KILL_S)",
        "pass",
        f"{TURNS}::test_what_lets_nobody_run_is_ended_by_the_system",
    ),
    out(
        14,
        "a page that is over takes its time with it",
        READER,
        "signal.setitimer(signal.ITIMER_PROF, 0)",
        "pass",
        f"{TURNS}::test_the_time_of_a_page_is_its_own_and_not_its_servers",
    ),
    out(
        14,
        "one run does not keep the others waiting",
        READER,
        "async with self._of_run[run]:",
        "async with asyncio.Lock():",
        f"{TURNS}::test_runs_take_turns",
    ),
    never(
        14,
        "of one run only so many pages wait",
        READER,
        "self._waiting.get(run, 0) >= MOST_WAITING",
        f"{TURNS}::test_of_one_run_only_so_many_wait",
    ),
    out(
        5,
        "a server has the memory that its form says",
        "kernel/cells",
        "memory_bytes=rule.memory_bytes,",
        "memory_bytes=0,",
        f"{TURNS}::test_the_memory_of_a_server_is_what_its_form_says",
    ),
    never(
        6,
        "the memory of a server is within bounds",
        "manifest",
        "found and not LEAST_MEMORY <= found <= MOST_MEMORY",
        f"{CATALOG}::test_a_capability_toml_is_read_strictly",
    ),
    # ---- 10: what a page hides
    out(
        10,
        "no character that is not seen",
        READER,
        "for character in text if not _hidden(character))",
        "for character in text)",
        f"{ARTICLES}::test_no_character_that_is_not_seen_comes_through",
    ),
    never(
        10,
        "a link leads to the web or to an address",
        READER,
        "scheme not in _SCHEMES and (scheme or base)",
        f"{ARTICLES}::test_a_link_leads_to_the_web_or_to_an_address_and_nowhere_else",
    ),
    out(
        10,
        "there are so many links",
        READER,
        "list(links.values())[:MOST]",
        "list(links.values())",
        f"{ARTICLES}::test_there_are_at_most_a_thousand_links_and_it_says_so",
    ),
    out(
        10,
        "a charset is one of the web",
        READER,
        'return name if name in _WEB else ""',
        "return name",
        f"{ARTICLES}::test_a_page_is_read_in_its_charset_and_in_no_codec_that_is_none",
    ),
)
