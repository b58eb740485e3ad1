"""agentos secrets, as a person meets it: what is typed in never comes out again."""

from __future__ import annotations

from typing import Any

import pytest

from agentos.shell import main, sheet
from agentos.shell.commands import secrets
from agentos.shell.failure import Failure
from agentos.v1 import capability_pb2
from agentos.v1 import control_pb2 as pb
from tests.shell.conftest import Shell
from tests.shell.prompts import PROGRAM, calls, made
from tests.shell.screen import Asked, Screen

VALUE = "ghp_0123456789abcdef"


def of(value: object) -> Any:
    return value


def test_a_secret_from_a_pipe_is_set_listed_replaced_and_removed(shell: Shell) -> None:
    said = shell("secrets", "set", "first", "-", "--for", "api.github.com/repos/**", typed=VALUE + "\n")
    assert (said.code, said.out) == (0, ""), said.err
    assert said.err == ("first is set\n  goes to https://api.github.com/repos/** as Authorization: Bearer {secret}\n")
    assert "first" in shell("secrets").out
    again = shell("secrets", "set", "first", "--header", "X-Key", "--json", typed="another-value-99")
    told = of(again.json)
    assert (told["replaced"], told["places"]) == (True, ["https://api.github.com/repos/**"])
    assert (told["header"], told["form"]) == ("X-Key", "{secret}")
    [listed] = [each for each in of(shell("secrets", "list", "--json").json) if each["name"] == "first"]
    assert set(listed) == {"name", "places", "header", "form", "set", "last_used"}
    assert listed["last_used"] is None
    assert shell("secrets", "remove", "first").code == 0
    gone = shell("secrets", "remove", "first")
    assert (gone.code, gone.out) == (2, "")
    assert "there is no such secret" in gone.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["set", "x", VALUE, "--for", "a.example"], "never stands on the command line"),
        (["set", "x", "-", "--for", "http://a.example"], "http://127.0.0.1:8080"),
        (["set", "X", "-", "--for", "a.example"], "small letters"),
        (["set", "x", "-", "--for", "a.example", "--header", "Host"], "frames the message"),
        (["set", "x", "-", "--for", "a.example", "--form", "Bearer"], "one {secret}"),
        (["set", "x", "--fro"], "no option --fro"),
        (["set"], "agentos secrets set NAME"),
        (["remove"], "agentos secrets remove NAME"),
        (["test", "x", "ftp://a.example"], "agentos secrets test NAME https://"),
        (["test", "x", "https://me:pw@a.example"], "agentos secrets test NAME https://"),
    ],
)
def test_wrong_usage_is_explained_before_a_value_is_asked_for(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["secrets", *line]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert VALUE not in shown.err + shown.out


@pytest.mark.parametrize(
    ("typed", "said"), [("short-1", "at least 8 characters"), (VALUE + "\nmore", "one line of printable")]
)
def test_a_value_that_cannot_be_kept_is_refused_and_not_repeated(shell: Shell, typed: str, said: str) -> None:
    done = shell("secrets", "set", "x", "-", "--for", "a.example", typed=typed)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert typed[:7] not in done.err


def test_what_is_not_there_says_how_to_set_it(shell: Shell) -> None:
    for line in (["test", "none", "https://a.example/"], ["set", "none", "-"]):
        done = shell("secrets", *line, typed=VALUE)
        assert done.code == 2
        assert "agentos secrets set none --for" in done.err


def test_a_value_is_typed_without_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen() as screen:
        monkeypatch.setattr(secrets, "open_terminal", screen.terminal)
        asked = Asked(lambda: secrets._value("github", piped=False))
        screen.until("value of github, which is not shown > ")
        assert not screen.echoes()
        screen.type(VALUE + "\n")
        assert asked.answer() == VALUE
        assert screen.echoes()
        assert VALUE not in screen.seen


def test_a_value_that_is_typed_wrong_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen() as screen:
        monkeypatch.setattr(secrets, "open_terminal", screen.terminal)
        asked = Asked(lambda: secrets._value("github", piped=False))
        screen.until("> ")
        screen.type("short-1\n")
        with pytest.raises(Failure, match="at least 8") as wrong:
            asked.answer()
        assert "short-1" not in wrong.value.shown


# ---- what a question says of secrets


def bounds(**values: list[str]) -> list[capability_pb2.Bound]:
    return [capability_pb2.Bound(name=name, values=held) for name, held in sorted(values.items())]


FETCH = bounds(
    method=["GET", "HEAD"], scheme=["https"], host=["api.github.com"], port=["443"], path=["/**"], network=["public"],
    secret=["github"],
)  # fmt: skip
KNOWN = pb.SecretInfo(name="github", places=["https://api.github.com/**"], header="Authorization")


def test_a_line_says_that_it_uses_a_secret_and_where_that_goes() -> None:
    assert sheet.objects(FETCH, [KNOWN]) == [
        "GET, HEAD https://api.github.com/**",
        "with the secret github, which goes to https://api.github.com/** alone",
    ]


def test_a_secret_that_is_not_set_is_said_to_be_with_the_next_step() -> None:
    assert sheet.objects(FETCH, [pb.SecretInfo(name="github")])[1:] == [
        "with the secret github, which is not set yet: agentos secrets set github"
    ]


def test_a_secret_that_was_edited_out_is_not_shown() -> None:
    assert len(sheet.objects([bound for bound in FETCH if bound.name != "secret"], [KNOWN])) == 1


def test_what_is_not_as_usual_is_shown() -> None:
    more = bounds(scheme=["http"], host=["127.0.0.1"], port=["8080"], path=["/a", "/b"], network=["loopback"])
    assert sheet.objects(more) == ["http://127.0.0.1:8080/a", "http://127.0.0.1:8080/b", "network loopback"]
    assert sheet.objects(FETCH)[1:] == ["secret github"]


def test_a_port_is_left_out_only_where_it_is_the_schemes_own() -> None:
    both = bounds(scheme=["https", "http"], host=["a.example"], port=["443", "80"], path=["/**"])
    assert sheet.objects(both) == [
        "https://a.example/**", "https://a.example:80/**", "http://a.example:443/**", "http://a.example/**",
    ]  # fmt: skip


def test_of_many_urls_those_of_one_host_share_a_row_and_none_is_left_out() -> None:
    paths = [f"/{letter}/**" for letter in "abcdefghi"]
    many = bounds(scheme=["https"], host=["a.example", "b.example"], port=["443"], path=paths)
    assert sheet.objects(many) == [f"https://{host}.example{', '.join(paths)}" for host in "ab"]


def test_a_call_that_asks_says_what_goes_with_it() -> None:
    line = made(1, "/a")
    line.secrets.append(KNOWN)
    shown = sheet.call(calls(line), line, counts=False, colour=False)
    assert "with  the secret github, which goes to https://api.github.com/** alone" in shown
    assert "with the secret github" in sheet.batch(calls(line, made(2, "/b")), colour=False)
    assert "with the secret github, which goes" in sheet.details(calls(line), {}, 200)
    assert PROGRAM.name in shown
