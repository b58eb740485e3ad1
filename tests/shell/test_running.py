"""Running programs through a real kernel, as a script would: no terminal, exit codes, and one JSON value."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.shell.conftest import Shell, begun

READ = '"files.read" = { path = ["*.txt"] }'


def of(value: object) -> Any:
    return value


def test_a_granted_program_does_its_job(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("one two")
    program = shell.write("count.py", 'result = len(open("a.txt").read().split())', 'print("counted")', grants=READ)
    said = shell("run", program, "--grant", "manifest")
    assert said.code == 0
    assert said.out == "counted\n2\n"
    assert "granted what count asks" in said.err


def test_the_one_object_of_run_json(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", 'print("read")', 'result = {"text": open("a.txt").read()}', grants=READ)
    told = of(shell("run", program, "--grant", "manifest", "--json").json)
    assert set(told) == {"run", "status", "result", "output", "error", "calls", "refused", "timings_us"}
    assert (told["status"], told["result"], told["output"]) == ("done", {"text": "text"}, "read\n")
    assert told["error"] is None
    assert told["refused"] == 0
    times = [told["timings_us"][name] for name in ("queued", "cell", "first_line", "ended")]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("lines", "grants", "options", "code"),
    [
        (["result = 1"], "", [], 0),
        (["raise ValueError('no')"], "", [], 1),
        (["import sys", "sys.exit(7)"], "", [], 1),
        (["def f(:"], "", [], 1),
        (["pass"], '"files.fly" = { path = ["*"] }', [], 2),
        (["open('/etc/passwd')"], READ, [], 3),
        (["try:", "    open('/etc/passwd')", "except PermissionError:", "    pass"], READ, [], 0),
        (["try:", "    open('/etc/passwd')", "except PermissionError:", "    pass"], READ, ["--strict"], 3),
        (["held = []", "while True:", "    held.append(bytearray(8 << 20))"], "", [], 4),
    ],
)
def test_exit_codes(shell: Shell, lines: list[str], grants: str, options: list[str], code: int) -> None:
    said = shell("run", shell.write("program.py", *lines, grants=grants), *options)
    assert said.code == code, said.err
    assert said.out == "" if code != 0 or grants else "1\n"


def test_a_refused_call_is_said_with_its_next_step(shell: Shell) -> None:
    said = shell("run", shell.write("nosy.py", "open('/etc/passwd')", grants=READ))
    assert "✗ call 1 refused: files.read /etc/passwd" in said.err
    assert "outside what nosy may ever ask · agentos why r" in said.err
    assert "1 call was refused: agentos why r" in said.err
    why = shell("why", "last", "1").out
    assert why.startswith("files.read /etc/passwd")
    assert "REFUSED" in why
    for told in ("manifest  outside (nosy.py:3 has files.read", "effect    none", "to allow  add"):
        assert told in why


def test_show_tells_every_call(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "open('a.txt').read()", grants=READ)
    run = of(shell("run", program, "--grant", "manifest", "--json").json)["run"]
    told = of(shell("show", run, "--json").json)
    (grant,) = {call["grant"] for call in told["calls"]}
    read = told["calls"][-1]
    assert read["action"] == "files.read"
    assert read["target"] == str(shell.folder / "a.txt")
    assert read["decision"] == "allowed"
    assert len(read["digest"]) == 64
    assert read["duration_us"] > 0
    granted = {each["id"]: each for each in of(shell("grants", "--json").json)}[grant]
    assert set(granted) == {"id", "program", "action", "bounds", "terms", "uses", "last_used", "state"}
    assert granted["bounds"] == {"path": [f"{shell.folder}/*.txt"]}
    assert (granted["terms"], granted["state"]) == ("version", "live")
    assert run in shell("ps").out
    assert "files.read" in shell("show", run).out


def test_a_revoked_grant_is_gone_at_the_next_run(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "open('a.txt').read()", grants=READ)
    assert shell("run", program, "--grant", "manifest").code == 0
    grant = of(shell("grants", "--json").json)[-1]["id"]
    assert shell("revoke", grant).code == 0
    assert shell("run", program).code == 3
    assert grant not in shell("grants").out


def test_questions_wait_in_the_inbox_and_are_answered_elsewhere(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "result = open('a.txt').read()")
    running = subprocess.Popen(
        shell.command("run", program, "--ask", "wait", "--json"), cwd=shell.folder, env=shell.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline:
        for question in of(shell("inbox", "--json").json):
            if question["path"] == str(shell.folder / program):
                assert shell("approve", question["id"], "--digest", "0000").code == 2
                said = shell("approve", question["id"], "--for", "once", "--digest", question["digest"][:12])
                assert said.code == 0, said.err
    out, _ = running.communicate(timeout=30)
    assert '"result": "text"' in out
    assert shell("approve", "p9999", "--for", "once").code == 2


def test_a_yes_that_a_question_does_not_offer_is_told_what_it_does(shell: Shell) -> None:
    program = shell.write("asks.py", "print(1)", grants='"files.read" = { path = ["a.txt"] }')
    with begun(shell, "run", program, "--ask", "wait") as running:
        [question] = [each for each in of(shell("inbox", "--json").json) if each["path"].endswith(program)]
        for options in ((), ("--for", "once")):
            said = shell("approve", question["id"], *options)
            assert (said.code, f"agentos approve {question['id']} --for run" in said.err) == (2, True), said.err
        assert shell("approve", question["id"], "--for", "run").code == 0
        assert running.wait(30) == 0


def test_a_script_may_begin_with_the_mark_that_some_editors_put_there(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("marked.py", "print(open('a.txt').read())", grants='"files.read" = { path = ["a.txt"] }')
    (shell.folder / program).write_text((shell.folder / program).read_text(), encoding="utf-8-sig")
    assert shell("run", program, "--grant", "manifest").out == "text\n"


def test_a_script_without_a_manifest_is_offered_one(shell: Shell) -> None:
    program = shell.write("plain.py", "open('a.txt')")
    said = shell("run", program)
    assert said.code == 3
    block = shell("manifest", program, "--from", "last").out
    assert '"files.read" = { path = ["a.txt"] }' in block
    (shell.folder / "a.txt").touch()
    (shell.folder / program).write_text(block + (shell.folder / program).read_text())
    assert shell("run", program, "--grant", "manifest").code == 0


def test_explain_says_it_in_plain_words(shell: Shell) -> None:
    program = shell.write("links.py", "pass", grants=READ)
    out = shell("explain", program).out
    assert "may, once you allowed it" in out
    assert f"read  {shell.folder}/*.txt  0 files now" in out
    assert "files.move, files.trash" in out
    assert "limits" in out
    assert of(shell("explain", program, "--json").json)["lines"][0]["action"] == "files.read"


def test_lines_for_input_come_from_a_pipe(shell: Shell) -> None:
    program = shell.write("greet.py", "print('hello', input('name? '))", "print('and', input())")
    said = shell("run", program, typed="Ada\nBob\n")
    assert said.out == "name? hello Ada\nand Bob\n"


def test_input_is_json_a_file_or_standard_input(shell: Shell) -> None:
    program = shell.write("echo.py", "def main(input):", "    return input")
    (shell.folder / "in.json").write_text('{"a": 1}')
    assert of(shell("run", program, "--input", "@in.json", "--json").json)["result"] == {"a": 1}
    assert of(shell("run", program, "--input", "-", "--json", typed="[2]").json)["result"] == [2]
    assert shell("run", program, "--input", "{").code == 2
    assert shell("run", program, "--input", "@none.json").code == 2


def test_arguments_after_the_hyphens_are_the_programs_own(shell: Shell) -> None:
    program = shell.write("args.py", "import sys", "result = sys.argv[1:]")
    assert shell("run", program, "--", "-a", "--json", "x y").out.split() == [
        "[",
        '"-a",',
        '"--json",',
        '"x',
        'y"',
        "]",
    ]


def test_what_is_no_text_on_the_command_line_is_said_and_runs_nothing(shell: Shell) -> None:
    program, odd = shell.write("main.py", "print(1)"), "b\udcff.py"
    (shell.folder / odd).write_text("print(1)")
    for arguments in ((program, "caf\udce9"), (program, "--input", '"\udcff"'), (odd,)):
        said = shell("run", *arguments)
        assert (said.code, said.out) == (2, "")
        assert said.err.endswith(" is not UTF-8 text\n  rename it, or write it in UTF-8\n")
    assert of(shell("explain", odd, "--json").json)["error"]["code"] == "invalid"


def test_output_into_a_pipe_is_as_it_is(shell: Shell) -> None:
    program = shell.write("loud.py", "print('\\x1b[31mred\\x07')")
    assert shell("run", program).out == "\x1b[31mred\x07\n"


def test_capabilities_and_doctor(shell: Shell) -> None:
    assert "files.read" in shell("capabilities").out
    told = of(shell("doctor", "--json").json)
    assert set(told) == {"walls", "kernel", "guest", "standing_still"}
    assert told["guest"]["imports"] == ["agentos:guest/kernel"]
    assert told["kernel"]["pid"] > 0


# ---- homes


def test_without_a_terminal_a_missing_home_is_explained(homeless: Shell) -> None:
    said = homeless("run", homeless.write("one.py", "result = 1"))
    assert said.code == 5
    for told in ("there is no home yet", "agentos init --key-file PATH", "--keyring", "AGENTOS_PASSPHRASE"):
        assert told in said.err
    assert of(homeless("run", "one.py", "--json").json)["error"]["code"] == "unavailable"
    for command in (["ps"], ["why"], ["grants"], ["inbox"], ["down"], ["cancel", "r1"]):
        assert homeless(*command).code == 5


def test_run_makes_a_home_and_a_kernel_of_its_own_and_stops_it(homeless: Shell) -> None:
    shell = Shell(homeless.folder, homeless.environment | {"AGENTOS_PASSPHRASE": "correct horse"})
    said = shell("run", shell.write("one.py", "result = 1"))
    assert said.code == 0, said.err
    assert said.out == "1\n"
    assert "recovery key" in said.err
    assert "socket" not in of(shell("where", "--json").json)
    assert of(shell("ps", "--json").json)[0]["program"] == "one"
    wrong = Shell(homeless.folder, homeless.environment | {"AGENTOS_PASSPHRASE": "wrong"})("ps")
    assert wrong.code == 5
    assert "this is not the passphrase of this home" in wrong.err
    assert homeless("ps").code == 5


def test_who_only_looks_at_a_new_home_does_not_wait_for_the_guest(homeless: Shell) -> None:
    assert homeless("init", "--key-file", "key").code == 0
    assert homeless("ps", "--json").json == []
    assert homeless("grants", "--json").json == []
    images = Path(homeless.environment["AGENTOS_HOME"]) / "cache" / "images"
    assert list(images.iterdir()) == [], "it is compiled when something runs"


def test_a_second_kernel_on_a_home_is_refused(shell: Shell, served: Path) -> None:
    said = shell("up", "--detach")
    assert said.code == 5
    assert "a kernel is up already" in said.err


def test_two_runs_that_start_a_kernel_at_once_share_it(homeless: Shell) -> None:
    homeless.made()
    program = homeless.write("one.py", "import time", "time.sleep(2)", "result = 1")
    running = [
        subprocess.Popen(
            homeless.command("run", program), cwd=homeless.folder, env=homeless.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [each.communicate(timeout=90)[0] for each in running] == ["1\n", "1\n"]
    assert homeless("down").code in (0, 5)
