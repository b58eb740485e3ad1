"""The question to the person: nothing is a yes by itself, and nothing hides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agentos.shell.prompt import Asking, Settled, until
from agentos.v1 import control_pb2 as pb
from tests.shell.prompts import calls, made, paths, review, wanted
from tests.shell.screen import Asked, Screen


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("NO_COLOR", "1")
    with Screen() as opened:
        yield opened


def ask(screen: Screen, prompt: pb.Prompt, counts: bool = False) -> Asked[list[pb.Decision]]:
    terminal = screen.terminal()
    return Asked(lambda: Asking(prompt, terminal, counts).decisions())


def choices(decisions: list[pb.Decision]) -> list[str]:
    return [pb.Choice.Name(decision.choice).removeprefix("CHOICE_").lower() for decision in decisions]


def test_one_screen_asks_for_all_lines_of_a_manifest(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/**/*.md"), wanted(2, "files.write", "/report.md")))
    assert screen.until("> ") == (
        "links wants (new program, you started it):\n"
        "  1  read   /notes/**/*.md\n"
        "  2  write  /report.md\n"
        "  [a]ll while this version lives · this [r]un · [c]hoose · [e]dit · [n]o · [?]\n"
        "  > "
    )
    screen.type("a\n")
    assert choices(asked.answer()) == ["version", "version"]


def test_the_review_counts_what_a_pattern_covers_now(screen: Screen, tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.txt"):
        (tmp_path / name).touch()
    lines = wanted(1, "files.read", f"{tmp_path}/*.md"), wanted(2, "files.write", f"{tmp_path}/new.md")
    asked = ask(screen, review(*lines), counts=True)
    shown = screen.until("> ")
    assert " ".join(shown.split()).startswith(
        "links wants (new program, you started it): "
        f"1 read {tmp_path}/*.md 2 files now 2 write {tmp_path}/new.md new file [a]ll"
    )
    screen.type("n\n")
    assert choices(asked.answer()) == ["no", "no"]


def test_a_question_says_where_the_run_has_read_from(screen: Screen) -> None:
    prompt = calls(made(1, "/notes/a.md"))
    prompt.outside.extend(["api.example.com", "evil\u202e.example", *(f"h{number}.example" for number in range(5))])
    asked = ask(screen, prompt)
    shown = screen.until("> ")
    assert "this run has read from outside: api.example.com, " in shown
    assert "h2.example and 2 more\n" in shown
    assert "\u202e" not in shown
    screen.type("n\n")
    asked.answer()


def test_a_question_for_several_things_says_it_too(screen: Screen) -> None:
    prompt = calls(made(1, "/notes/a.md"), made(2, "/notes/b.md"))
    prompt.outside.append("api.example.com")
    asked = ask(screen, prompt)
    assert "this run has read from outside: api.example.com\n" in screen.until("> ")
    screen.type("n\n")
    asked.answer()


def test_enter_alone_asks_again(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    for _ in range(3):
        screen.until("> ")
        screen.type("\n")
    screen.until("> ")
    assert not asked.settled
    screen.type("n\n")
    assert choices(asked.answer()) == ["no"]


@pytest.mark.parametrize("typed", ["y", "yes", "ok", "1", "a; r", "aa", "A B"])
def test_what_is_no_key_is_no_answer(screen: Screen, typed: str) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    screen.until("> ")
    screen.type(typed + "\n")
    screen.until("> ")
    assert not asked.settled
    screen.type("r\n")
    assert choices(asked.answer()) == ["run"]


def test_what_was_typed_ahead_is_thrown_away(screen: Screen) -> None:
    screen.type("a\na\na")
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    screen.until("  > ")
    screen.type("\n")
    screen.until("  > ")
    assert not asked.settled
    screen.type("no\n")
    assert choices(asked.answer()) == ["no"]


def test_lines_pasted_behind_an_answer_do_not_answer_the_next_question(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/a/*"), wanted(2, "files.read", "/b/*")))
    screen.until("  > ")
    screen.type("c\nr\nr\n")
    screen.until("/a/*")
    screen.until("  > ")
    assert not asked.settled
    screen.type("r\n")
    screen.until("/b/*")
    screen.until("  > ")
    screen.type("n\n")
    assert choices(asked.answer()) == ["run", "no"]


def test_the_end_of_input_is_a_no(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    screen.until("> ")
    screen.type("\x04")
    assert choices(asked.answer()) == ["no"]
    screen.until("no answer: that is a no")


def test_text_that_hides_or_obeys_is_shown_escaped(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/home/me/re\u202etxt.md\x1b[2J\u200b/\u0301\u0301\u0301\u0301x")))
    shown = screen.until("> ")
    assert "write /home/me/re\\u202etxt.md\\x1b[2J\\u200b/" in shown
    assert not {"\x1b", "\u202e", "\u200b"} & set(shown)
    assert "\u0301\u0301\u0301" not in shown
    screen.type("n\n")
    assert choices(asked.answer()) == ["no"]


def test_a_long_name_is_capped_and_both_its_ends_are_seen(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/begin/" + "x" * 5000 + "/end.md")))
    shown = screen.until("> ")
    assert len(shown) < 2000
    assert "/begin/x" in shown
    assert "x/end.md" in shown
    assert " more)…" in shown
    screen.type("n\n")
    asked.answer()


def test_a_call_shows_where_its_argument_came_from_and_its_scopes(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md", folder="/out/*")))
    assert screen.until("> ") == (
        "links wants to write /out/a.md\n"
        "  what  files.write · cannot be undone\n"
        "  from  path written in links.py:12\n"
        "  why   outside what was allowed so far\n"
        "  1  /out/a.md  only this\n"
        "  2  /out/*     this folder\n"
        "  [o]nce · this [r]un · while this [v]ersion lives · [n]o · never · [?]\n"
        "  a number after the letter picks the scope: v2\n"
        "  > "
    )
    screen.type("r2\n")
    (decision,) = asked.answer()
    assert choices([decision]) == ["run"]
    assert list(decision.bounds) == paths("/out/*")


def test_without_a_number_the_narrowest_scope_is_meant(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md", folder="/out/*")))
    screen.until("> ")
    screen.type("v\n")
    (decision,) = asked.answer()
    assert list(decision.bounds) == paths("/out/a.md")


def test_what_a_move_would_replace_is_shown(screen: Screen) -> None:
    line, other = made(1, "/out/a.md"), made(2, "/out/b.md")
    line.targets.add(name="replaces", value="/out/a.md, 5 bytes")
    asked = ask(screen, calls(line))
    assert "  replaces  /out/a.md, 5 bytes\n" in screen.until("> ")
    screen.type("n\n")
    asked.answer()
    asked = ask(screen, calls(line, other))
    assert "write /out/a.md, replaces /out/a.md, 5 bytes" in screen.until("> ")
    screen.type("n\n")
    asked.answer()


def test_a_scope_that_is_not_offered_is_no_answer(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md", folder="/out/*")))
    for typed in ("o2\n", "r3\n", "r0\n"):
        screen.until("> ")
        screen.type(typed)
    screen.until("> ")
    assert not asked.settled
    screen.type("o\n")
    assert choices(asked.answer()) == ["once"]


def test_never_must_be_spelled_out(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md")))
    screen.until("> ")
    screen.type("never\n")
    assert choices(asked.answer()) == ["never"]


def test_several_calls_at_once_are_one_question(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md"), made(2, "/out/b.md")))
    shown = screen.until("> ")
    assert "links wants 2 things at once" in shown
    assert "1  write /out/a.md  path written in links.py:12" in shown
    screen.type("o\n")
    assert choices(asked.answer()) == ["once", "once"]


def test_what_does_not_fit_goes_below_and_is_not_broken(screen: Screen) -> None:
    long = f"/home/me/{'deep/' * 11}**/*.md"
    asked = ask(screen, review(wanted(1, "files.read", long), wanted(2, "files.trash", "/a/*", always=True)))
    shown = screen.until("> ")
    assert f"  1  read   {long}\n  2  trash  /a/*\n              asked each time\n" in shown
    screen.type("?\n")
    details = screen.until("  > ")
    assert all(len(line) <= 80 for line in details.splitlines())
    screen.type("n\n")
    asked.answer()


@pytest.mark.parametrize("typed", ["y", "o", "w2"])
def test_what_is_no_answer_is_said_to_be_none(screen: Screen, typed: str) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    screen.until("> ")
    screen.type(typed + "\n")
    assert f"  {typed} is no answer here: type a letter that stands in brackets\n" in screen.until("  > ")
    screen.type("n\n")
    assert choices(asked.answer()) == ["no"]


def test_a_scope_that_is_not_on_offer_is_said(screen: Screen) -> None:
    asked = ask(screen, calls(made(1, "/out/a.md", folder="/out/*")))
    screen.until("  > ")
    screen.type("o2\n")
    assert "  scope 2 is not on offer for o\n" in screen.until("  > ")
    screen.type("n\n")
    assert choices(asked.answer()) == ["no"]


def test_an_edited_path_may_begin_here_or_at_home(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*", "/other/*")))
    screen.until("  > ")
    screen.type("e\n")
    for typed in ("a/b.md", "~/c.md"):
        screen.until("  path: /")
        screen.type(f"\x15{typed}\n")
    screen.until("  > ")
    screen.type("r\n")
    (decision,) = asked.answer()
    home = os.path.realpath(Path.home())
    assert list(decision.bounds[0].values) == [f"{os.path.realpath(tmp_path)}/a/b.md", f"{home}/c.md"]


def test_editing_narrows_a_line_in_place(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/**/*.md")))
    screen.until("> ")
    screen.type("e\n")
    screen.until("path: /notes/**/*.md")
    screen.type("\x15/notes/2026/*.mdx\x7f\n")
    shown = screen.until("> ")
    assert "1  read  /notes/2026/*.md" in shown
    screen.type("a\n")
    (decision,) = asked.answer()
    assert choices([decision]) == ["version"]
    assert list(decision.bounds) == paths("/notes/2026/*.md")
    assert screen.echoes()


@pytest.mark.parametrize("typed", ["2", "7", "all"])
def test_a_line_that_cannot_be_edited_is_said_to_be_none(screen: Screen, typed: str) -> None:
    lines = (
        wanted(1, "files.read", "/a/*"),
        wanted(2, "files.trash", "/a/*", always=True),
        wanted(3, "files.read", "/b"),
    )
    asked = ask(screen, review(*lines))
    screen.until("> ")
    screen.type("e\n")
    screen.until("which line? > ")
    screen.type(f"{typed}\n")
    assert f"{typed} is no line to edit: there are 1, 3" in screen.until("  > ")
    screen.type("n\n")
    assert choices(asked.answer()) == ["no", "no"]


def test_a_line_that_always_asks_is_shown_and_not_granted(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/a/*"), wanted(2, "files.trash", "/a/*", always=True)))
    assert "2  trash  /a/*  asked each time" in screen.until("> ")
    screen.type("a\n")
    assert [decision.number for decision in asked.answer()] == [1]


def test_a_question_mark_tells_all_and_asks_again(screen: Screen) -> None:
    asked = ask(screen, review(wanted(1, "files.read", "/notes/*")))
    screen.until("> ")
    screen.type("?\n")
    shown = screen.until("> ")
    for told in ("/home/me/links.py", "ab" * 32, "path = /notes/*", "asked for in links.py:5", "until this run ends"):
        assert told in shown
    assert not asked.settled
    screen.type("n\n")
    asked.answer()


def test_a_question_settled_elsewhere_closes(screen: Screen) -> None:
    woken, wake = os.pipe()
    terminal = screen.terminal()

    def settled() -> None:
        raise Settled

    terminal.watch(woken, settled)
    asked = Asked(lambda: Asking(review(wanted(1, "files.read", "/notes/*")), terminal, counts=False).decisions())
    screen.until("> ")
    os.write(wake, b".")
    with pytest.raises(Settled):
        asked.answer()
    os.close(woken)
    os.close(wake)


def test_a_secret_is_not_echoed(screen: Screen) -> None:
    terminal = screen.terminal()
    asked = Asked(lambda: terminal.secret("passphrase: "))
    screen.until("passphrase: ")
    screen.type("correct horse\n")
    assert asked.answer() == "correct horse"
    screen.until("\n")
    assert "horse" not in screen.seen
    assert screen.echoes()


def test_a_moment_is_read_as_a_person_says_it() -> None:
    now = datetime(2026, 11, 24, 17, 30).astimezone()
    noon = int(now.timestamp()) * 1000
    assert until("30m", now) == noon + 1_800_000
    assert until("2h", now) == noon + 7_200_000
    assert until("3d", now) == noon + 3 * 86_400_000
    assert until("18:00", now) == noon + 1_800_000
    assert until("17:00", now) == noon + 84_600_000
    assert [until(typed, now) for typed in ("", "soon", "25:00", "-1h", "1e9h", "99999h")] == [0] * 6
