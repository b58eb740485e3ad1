"""docs/secrets.md does what it says: its commands and its program, with a mirror on this machine for the host."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentos.shell import main
from tests.kernel.person import Up
from tests.net.mirror import Mirror, mirror

PAGE = (Path(__file__).parents[2] / "docs" / "secrets.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.startswith("agentos")]
Say = Callable[..., tuple[int, str]]
VALUE = "ghp_0123456789abcdef"


@pytest.fixture(scope="module")
def here() -> Iterator[type[Mirror]]:
    with mirror() as found:
        yield found


@pytest.fixture
def say(up: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Say one line to the shell, with the value on its standard input; its exit code and what it printed."""
    monkeypatch.setenv("AGENTOS_HOME", str(up.home))

    def said(*line: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{VALUE}\n".encode())))
        code = main.run(line)
        shown = capsys.readouterr()
        assert VALUE not in shown.out + shown.err
        return code, shown.out + shown.err

    return said


def local(text: str, here: type[Mirror]) -> str:
    """The page's host, as the mirror."""
    at = f"127.0.0.1:{here.port}"
    manifest = f'host = ["127.0.0.1"], scheme = "http", port = {here.port}, network = "loopback"'
    text = text.replace('host = ["api.github.com"]', manifest).replace("https://api.github.com", f"http://{at}")
    return text.replace("api.github.com", f"http://{at}")


def test_its_commands_and_its_program_do_what_it_says(say: Say, here: type[Mirror], tmp_path: Path) -> None:
    commands = [shlex.split(local(line, here), comments=True)[1:] for line in COMMANDS]
    assert len(commands) == 5
    *setting, listing, testing = commands
    for command in setting:
        assert say(*command)[0] == 0, command
    code, shown = say(*listing)
    assert code == 0
    assert all(name in shown for name in ("github", "jira", "search"))

    [program] = [text for kind, text in BLOCKS if kind == "python"]
    (tmp_path / "user.py").write_text(local(program, here))
    code, shown = say("run", str(tmp_path / "user.py"), "--grant", "manifest")
    assert code == 0, shown
    assert "[secret github]" in shown
    assert "with the secret github, which goes to" in shown
    assert here.seen[-1][1]["Authorization"] == f"Bearer {VALUE}"

    code, shown = say(*testing)
    assert code == 0, shown
    assert shown.splitlines()[:2] == [
        f"sent      yes: http://127.0.0.1:{here.port}/** gets it, as Authorization", "answered  200",
    ]  # fmt: skip


def test_a_test_says_why_a_secret_stays_behind(say: Say, here: type[Mirror]) -> None:
    say("secrets", "set", "narrow", "-", "--for", f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    code, shown = say("secrets", "test", "narrow", f"http://127.0.0.1:{here.port}/v2/x", "--json")
    told = json.loads(shown)
    assert (code, told["error"], told["sent"], told["status"]) == (1, None, False, 200)
    assert "it goes to" in told["why"]
    assert "Authorization" not in here.seen[0][1]
    code, shown = say("show", told["run"])
    assert "net.fetch" in shown
    code, shown = say("grants", "--json")
    assert not [grant for grant in json.loads(shown) if grant["program"] == "secrets test"]


def test_a_test_of_a_host_that_does_not_answer_says_so(say: Say, here: type[Mirror]) -> None:
    say("secrets", "set", "silent", "-", "--for", "http://127.0.0.1:1")
    code, shown = say("secrets", "test", "silent", "http://127.0.0.1:1/")
    assert code == 1
    assert "sent      no answer: http://127.0.0.1:1/** gets it, as Authorization\n" in shown
    assert "answered  nothing: " in shown
