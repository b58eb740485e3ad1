"""The kit in which programs are tried starts children as the kernel does: one program, run by both, answered alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos.sdk.testing import Kit, Run
from tests.kernel.person import Person, Up
from tests.kernel.test_children import CHILD, GRANTS, PARENT

# The words after the type, and what names a run, are each one's own.
TRIED = PARENT.replace("[type(error).__name__, error.reason, error.detail]", "[type(error).__name__, error.detail]")
CASES: dict[str, str] = {
    "does and returns": """
result = children.spawn("child.py", [append("log.txt", "hello"), ["files.read", {"path": "go.txt"}]], grants=LOG).join()
""",
    "is given no more than there is": """
given = [
    {"files.append": {"path": ["secret.txt"]}}, {"files.append": {"path": ["**"]}},
    {"files.write": {"path": ["log.txt"]}},
    {"files.append": {"path": ["log.txt"], "bytes": 61}}, {"files.list": {"path": ["notes"]}}, {"files.read": {}},
    {"files.read": {"path": []}}, {"files.read": {"path": ["notes/../secret.txt"]}}, {"nothing.there": {}},
    {"files.read": {"path": ["notes/**"], "ask": "always"}}, {"clock.now": {}}, {"files.read": {"paths": ["a"]}},
    {"files.append": {"path": ["out/**"], "bytes": 60}}, {"files.stat": {"path": ["notes/*"]}}, "none",
]
told = [tried(children.spawn, "child.py", [], grants=each) for each in given]
result = [isinstance(one, list) and one for one in told]
""",
    "shares what is used": """
twice = [children.spawn("child.py", [append("log.txt", "c" * 25)], grants=LOG).join() for _ in range(2)]
own = tried(call, *append("log.txt", "p" * 25))
eight = {"files.append": {"path": ["log.txt"], "bytes": 8}}
little = children.spawn("child.py", [append("log.txt", "d" * 9)], grants=eight).join()
result = [[list(each[0]) for each in twice], own, little[0][::2], list(call(*append("log.txt", "p" * 10)))]
""",
    "is held to its own manifest too": """
given = {"files.append": {"path": ["out/**", "log.txt"]}, "files.read": {"path": ["notes/**"]}}
asked = [append("out/a.txt"), append("log.txt"), ["files.read", {"path": "notes/a.txt"}]]
result = [isinstance(each, dict) or each[::3] for each in children.spawn("narrow.py", asked, grants=given).join()]
""",
    "starts children in its turn": """
below = {"program": "child.py", "input": [append("log.txt", "deep")], "grants": LOG}
wide = {**below, "grants": {"files.append": {"path": ["out/**"]}}}
deep, wide = children.spawn("child.py", [["spawn", below], ["spawn", wide]], grants=LOG).join()
result = [list(deep[0]), wide[0], wide[2]]
""",
    "is none that was not approved": """
result = [tried(children.spawn, name) for name in ("nobody.py", "../child.py", "0" * 64, "\\0")]
""",
    "fails": 'result = tried(children.spawn("fails.py").join)',
    "ends as its parent says": """
child = children.spawn("child.py", [["sleep", 90]])
child.cancel(); child.cancel()
others = [tried(call, f"children.{name}", {"run": run}) for name in ("join", "cancel") for run in ("r1.77", "")]
result = [tried(child.join), others]
""",
    "has its levels": """
asked = []
for _ in range(6):
    asked = [["spawn", {"program": "child.py", "input": asked}]]
found = children.spawn("child.py", asked).join()
depth = 0
while isinstance(found, list) and isinstance(found[0], list):
    found, depth = found[0], depth + 1
result = [depth, found[0], found[2]]
""",
}
NARROW = '"files.append" = { path = ["out/**"] }\n"files.read" = { path = ["notes/a.txt"] }'
PROGRAMS = {
    "child.py": (CHILD, GRANTS),
    "narrow.py": (CHILD, NARROW),
    "fails.py": ("def main(input):\n    if input is None:\n        raise KeyError('x')", ""),
}


@pytest.fixture(scope="module")
def approved(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Who let the children's programs run."""
    folder = tmp_path_factory.mktemp("family").resolve()
    person = Person(up.socket, up.credential, folder)
    for name, (program, grants) in PROGRAMS.items():
        person.run(program, grants, name=name, input="[]")
    (folder / "notes").mkdir()
    yield person
    person.close()


@pytest.mark.parametrize("case", CASES)
def test_the_kit_starts_children_as_the_kernel_does(case: str, approved: Person) -> None:
    folder = approved.folder
    files = {"notes/a.txt": "a note", "go.txt": "go", "secret.txt": "a secret", "out/b.txt": "b"}
    (folder / "out").mkdir(exist_ok=True)
    for path, text in files.items():
        (folder / path).write_text(text)
    for path in ("log.txt", "out/a.txt"):
        (folder / path).unlink(missing_ok=True)
    source = TRIED + CASES[case]
    told = approved.run(source, GRANTS, name="parent.py")
    assert told.status == "done", told
    program = folder / "parent.py"
    children = {name: folder / name for name in PROGRAMS}
    for name, (text, grants) in {**PROGRAMS, "parent.py": (source, GRANTS)}.items():
        (folder / name).write_bytes(approved.source(text, grants, name).content)
    kit = Kit.under_manifest(program, files, children=children, start=str(folder), home=str(folder))
    run = kit.run(program)
    assert run.error is None, run.traceback
    assert plain(run.result) == plain(told.result)
    log = folder / "log.txt"
    assert kit.files.get(str(log)) == (log.read_bytes() if log.exists() else None)


def plain(found: Any) -> Any:
    """Without what differs from one folder and time to the next, and the words that go with an error's type."""
    if isinstance(found, dict):
        return sorted(found)
    if isinstance(found, list):
        if len(found) == 4 and isinstance(found[0], str) and all(isinstance(each, str) for each in found):
            return [found[0], found[2]]
        return [plain(each) for each in found]
    return found


def test_a_child_in_the_kit_can_be_an_answer(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(TRIED + 'result = [tried(children.spawn(name).join) for name in ("sum.py", "mail.py")]')
    kit = Kit(children={"sum.py": {"total": 3}, "mail.py": Run("refused")})
    assert kit.run(program).result == [{"total": 3}, ["Denied", "child_refused"]]
    assert [run.status for run in kit.children.values()] == ["done", "refused"]


def test_a_child_in_the_kit_that_nobody_joins_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text("from agentos.sdk import files\nfiles.write('a.txt', text='x')")
    program = tmp_path / "parent.py"
    program.write_text(TRIED + 'result = children.spawn("child.py", grants={"files.write": {"path": ["a.txt"]}}).run')
    kit = Kit(grants=[], children={"child.py": tmp_path / "child.py"})
    assert kit.run(program).status == "refused"
    assert kit.children == {}
    kit = Kit.under_manifest(program, children={"child.py": tmp_path / "child.py"})
    program.write_text(TRIED + 'result = children.spawn("child.py").run')
    run = kit.run(program)
    assert kit.children[run.result].status == "cancelled"
    assert kit.files == {}


def test_a_parent_that_is_a_coroutine_joins_its_children_too(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text("async def main(input):\n    print('in the child')\n    return input + 1")
    program = tmp_path / "parent.py"
    program.write_text(
        "from agentos.sdk import children\nasync def main(input):\n    return children.spawn('child.py', input).join()"
    )
    kit = Kit(children={"child.py": child})
    assert kit.run(program, input=1).result == 2
    assert kit.output == ""
    assert kit.children["r1.1"].output == "in the child\n"
