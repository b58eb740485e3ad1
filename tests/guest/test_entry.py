"""The one way in: compiling, beginning, calls with their lines, output that rides along, tracebacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentos.sdk.testing import Kit
from tests.guest.conftest import LIMITS, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("source", "reason", "line"),
    [
        ("x = 1\ny = (\n", "SyntaxError: '(' was never closed (prog.py, line 2)", 2),
        ("if x:\nprint()", "IndentationError: expected an indented block after 'if' statement on line 1", 2),
        ("return 5", "SyntaxError: 'return' outside function (prog.py, line 1)", 1),
        ("x = 1\0", "null bytes", 0),
        ("(" * 5000 + ")" * 5000, "nested too deeply", 0),
        ("x = " + "-" * 200_000 + "1", "prog.py", 0),
        ("# -*- coding: nonsense -*-\nx = (", "SyntaxError", 2),
    ],
)
async def test_a_program_that_is_none_is_refused_with_its_line(
    stage: Stage, source: str, reason: str, line: int
) -> None:
    error = (await stage.compiled(source))["error"]
    assert error["code"] == "invalid"
    assert reason in error["reason"]
    assert error["line"] == line
    assert error["hint"]


async def test_compiling_says_nothing_and_warns_of_nothing(stage: Stage) -> None:
    answer = await stage.compiled("assert (1, 'always true')\nx = 'a' is 'b'\ny = '\\d'")
    assert set(answer) == {"code"}


async def test_the_program_says_that_it_begins_before_its_first_line(stage: Stage) -> None:
    played = await stage.play("1/0")
    assert played.status == "failed"
    assert played.ending.began_us > 0
    assert "" not in played.requests  # the cell notes the time by itself, so that saying so costs no way to the kernel


async def test_each_call_names_the_line_that_makes_it(stage: Stage) -> None:
    source = (
        "import os, json\n\ndef f():\n    return open('a.txt').read()\n\n"
        "f()\nos.listdir(\n    'sub')\njson.load(open('b.md'))"
    )
    played = await stage.play(source)
    assert [made.line for made in played.kit.calls] == [4, 7, 9]


async def test_what_is_printed_rides_along_with_the_next_call(stage: Stage) -> None:
    played = await stage.play("print('a')\nopen('a.txt')\nprint('b')\nprint('c')\nopen('b.md')\nprint('d')")
    assert [json.loads(request).get("out") for request in played.requests] == [[[1, "a\n"]], [[1, "b\nc\n"]]]
    assert played.answer["out"] == [[1, "d\n"]]


async def test_long_output_is_sent_in_pieces_and_flush_sends_at_once(stage: Stage) -> None:
    played = await stage.play("for i in range(3000): print('0123456789')\nprint('end', flush=True)\nprint('more')")
    assert played.printed() == "0123456789\n" * 3000 + "end\nmore\n"
    assert len(played.requests) == 33000 // 8192 + 1
    assert played.answer["out"] == [[1, "more\n"]]
    assert not played.kit.calls


async def test_output_keeps_its_order_across_both_streams(stage: Stage) -> None:
    played = await stage.play("import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)")
    assert played.out == [(1, "1\n"), (2, "2\n"), (1, "3\n")]


async def test_a_traceback_shows_the_programs_lines_and_no_others(stage: Stage) -> None:
    source = "import json\n\ndef read(name):\n    return json.loads(open(name).read())\n\nread('a.txt')\n"
    played = await stage.play(source)
    text = played.answer["traceback"]
    assert text == played.printed(2)
    assert text == (
        "Traceback (most recent call last):\n"
        '  File "prog.py", line 6, in <module>\n'
        "    read('a.txt')\n"
        "    ~~~~^^^^^^^^^\n"
        '  File "prog.py", line 4, in read\n'
        "    return json.loads(open(name).read())\n"
        "           ~~~~~~~~~~^^^^^^^^^^^^^^^^^^^\n"
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n"
    )
    assert played.actions == ["files.read"]


async def test_a_refusal_reads_as_python_says_it(stage: Stage) -> None:
    played = await stage.play("def f():\n    with open('/home/me/.ssh/id') as key:\n        print(key.read())\nf()")
    assert played.status == "refused"
    assert played.answer["traceback"].splitlines()[-1] == (
        "PermissionError: outside what the program may ever ask; "
        'add "files.read" = { path = ["/home/me/.ssh/id"] } to its manifest, only if you trust this program'
    )
    assert "shims" not in played.answer["traceback"]
    assert played.answer["error"] == {
        "code": "denied",
        "reason": "outside what the program may ever ask",
        "hint": 'add "files.read" = { path = ["/home/me/.ssh/id"] } to its manifest, only if you trust this program',
        "detail": "",
    }


async def test_chained_exceptions_show_the_whole_chain(stage: Stage) -> None:
    played = await stage.play("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e")
    assert "direct cause of the following exception" in played.answer["traceback"]
    played = await stage.play("try:\n    {}['k']\nexcept KeyError:\n    open('none.txt')")
    assert "During handling of the above exception" in played.answer["traceback"]


async def test_a_syntax_error_in_text_shows_that_text_and_asks_for_no_file(stage: Stage) -> None:
    played = await stage.play("compile('x = (', 'a.txt', 'exec')")
    assert played.status == "failed"
    assert "SyntaxError: '(' was never closed" in played.answer["traceback"]
    assert not played.actions


async def test_input_reaches_main_and_its_answer_comes_back(stage: Stage) -> None:
    source = "def main(input):\n    return {'got': input}"
    played = await stage.play(source, input={"a": [1, None, "é"]})
    assert played.result == {"got": {"a": [1, None, "é"]}}


@pytest.mark.parametrize(
    ("source", "given", "said"),
    [
        ("def main(count):\n    return count", 3, True),
        ("def main(count):\n    return count", None, False),
        ("def main():\n    return 1", 3, False),
        ("def main(count=1):\n    return count", 3, False),
        ("def main(a, b):\n    return a", 3, False),
        ("def main(input):\n    return input", 3, False),
    ],
)
async def test_a_main_that_the_input_does_not_reach_is_told_of(
    stage: Stage, tmp_path: Path, source: str, given: object, said: bool
) -> None:
    told = "main(count) was not called: it gets the input where its parameter is named so, main(input)\n"
    played = await stage.play(source, input=given)
    assert (played.status, played.printed(2)) == ("done", told if said else "")
    program = tmp_path / "x.py"
    program.write_text(source)
    kit = Kit()
    assert kit.run(program, input=given).result == played.result
    assert kit.errors == played.printed(2)


async def test_an_async_main_may_sleep(stage: Stage) -> None:
    source = "import asyncio\nasync def main(input):\n    await asyncio.sleep(2)\n    return input + 1"
    played = await stage.play(source, input=1)
    assert (played.result, played.actions) == (2, ["clock.sleep"])


async def test_what_was_left_open_is_sent_even_where_the_program_fails(stage: Stage) -> None:
    played = await stage.play("f = open('n.txt', 'w')\nf.write('kept')\n1/0")
    assert played.status == "failed"
    assert played.kit.text("n.txt") == "kept"


async def test_a_limit_ends_the_run_as_a_limit(stage: Stage) -> None:
    source = "from agentos.sdk.errors import LimitExceeded\nraise LimitExceeded('1000 calls', 'make fewer')"
    played = await stage.play(source)
    assert played.status == "limit"
    assert played.says == "1000 calls; make fewer"


async def test_memory_that_is_used_up_ends_the_run_as_a_limit(stage: Stage) -> None:
    small = type(LIMITS)(memory_bytes=48 << 20, cpu_seconds=20)
    for source in ("x = 'a' * (200 << 20)", "x = []\nwhile True: x.append('%d' % len(x))", "x = [0] * 10**9"):
        played = await stage.play(source, limits=small)
        assert (played.ending.how, played.status) == ("returned", "limit"), played.answer
        assert "ran out of memory" in played.says


async def test_a_program_that_digs_below_python_ends_at_a_named_stub(stage: Stage) -> None:
    source = (
        "import _imp, importlib.machinery as m\n"
        "fresh = _imp.create_builtin(m.ModuleSpec('posix', None))\n_imp.exec_builtin(fresh)\nfresh.stat('/')"
    )
    played = await stage.play(source)
    assert played.ending.how == "trapped"
    assert played.ending.reached.startswith("wasi:filesystem/")
    assert not played.kit.calls


async def test_a_guest_run_begins_in_the_persons_folder_and_leaves_nothing_behind(stage: Stage) -> None:
    dirty = "import os, sys\nos.chdir('/home')\nos.environ['A'] = 'b'\nsys.argv.clear()\nsys.modules.clear()"
    await stage.play(dirty)
    played = await stage.play("import os, sys\nresult = [os.getcwd(), dict(os.environ), sys.argv[0]]")
    assert played.result == ["/home/me/x", {}, "prog.py"]
