"""Attacks by a guest in a cell, through the real kernel to a real files server: refused, typed, recorded, no effect."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import grpc
import pytest
import wasmtime
from wasmtime.component import Component

from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.cells.components import component
from tests.kernel.person import FOR_VERSION, NO, ONCE, Person, Told, error_of

BOTH = '"files.read" = { path = ["**"] }\n"files.write" = { path = ["**"] }'
MOVES = '"files.move" = { path = ["**"], to = ["**"] }'
# Below the SDK: the text goes to the kernel as it is.
RAW = """
import json
from agentos.sdk import wire
result = [json.loads(wire._invoke(text)) for text in TEXTS]
"""
REFUSALS = """
from agentos.sdk import files, gather
def reason(what):
    try:
        what()
    except PermissionError as refused:
        return refused.reason
    return "allowed"
"""


def asks(person: Person, *texts: str, grants: str = BOTH) -> tuple[Told, list[Mapping[str, object]]]:
    """What the kernel answers to these very texts of a guest."""
    told = person.run(RAW.replace("TEXTS", repr(texts)), grants)
    assert isinstance(told.result, list)
    return told, told.result


def call(args: str, action: str = "files.write") -> str:
    return f'{{"calls":[{{"action":"{action}","args":{args}}}]}}'


def refused(answer: Mapping[str, object]) -> bool:
    results = answer.get("results")
    slots = results if isinstance(results, list) else [answer]
    return bool(slots) and all("error" in slot for slot in slots)


# ---- requests with more than one reading


TWO_READINGS = {
    "a key twice": call('{"path":"a","path":"b","text":"x"}'),
    "a key twice by escapes": call('{"path":"a","p\\u0061th":"b","text":"x"}'),
    "args twice": '{"calls":[{"action":"files.write","args":{"path":"a"},"args":{"path":"b","text":"x"}}]}',
    "the action twice": '{"calls":[{"action":"files.read","action":"files.write","args":{"path":"a","text":"x"}}]}',
    "the name of a field in camel case": call('{"path":"a","text":"x","createOnly":true}'),
    "both spellings of a field": call('{"path":"a","text":"x","create_only":true,"createOnly":false}'),
    "an unknown field": call('{"path":"a","text":"x","mode":"0777"}'),
    "a number as a field": call('{"1":"a","2":"x"}'),
    "an extension": call('{"path":"a","text":"x","[agentos.v1.field]":{}}'),
    "a message that says its type": call('{"@type":"type.googleapis.com/agentos.v1.FilesWriteRequest","path":"a"}'),
    "text and data": call('{"path":"a","text":"x","data":"eA=="}'),
    "a grant of its own": '{"calls":[{"action":"files.write","args":{"path":"/etc/x","text":"x"},"grant":"g1"}]}',
    "a list for one value": call('{"path":["a","b"],"text":"x"}'),
    "null for a path": call('{"path":null,"text":"x"}'),
    "a truth as text": call('{"path":"a","text":"x","create_only":"true"}'),
    "what is not base64": call('{"path":"a","data":"\\u00e9"}'),
    "half a surrogate pair": call('{"path":"a\\ud800","text":"x"}'),
    "a NUL": call('{"path":"a\\u0000b","text":"x"}'),
    "a number that is none": call('{"path":"a","offset":NaN}', "files.read"),
    "a number with a fraction": call('{"path":"a","offset":0.5}', "files.read"),
    "a number beyond 64 bits": call('{"path":"a","offset":18446744073709551616}', "files.read"),
    "an action with a space": call('{"path":"a"}', "files.write "),
    "an action of another case": call('{"path":"a","text":"x"}', "Files.Write"),
    "the full name of a method": call('{"path":"a","text":"x"}', "/agentos.v1.FilesService/Write"),
    "JSON and then more": call('{"path":"a","text":"x"}') + call('{"path":"b","text":"x"}'),
    "a byte order mark": "\ufeff" + call('{"path":"a","text":"x"}'),
    "a comment": call('{"path":"a",/**/"text":"x"}'),
    "nested deep": call('{"path":' + "[" * 5000 + "]" * 5000 + "}"),
}


def test_what_has_two_readings_is_refused_and_nothing_is_written(person: Person) -> None:
    told, answers = asks(person, *TWO_READINGS.values())
    answered = dict(zip(TWO_READINGS, answers, strict=True))
    assert [name for name, answer in answered.items() if not refused(answer)] == []
    assert list(person.folder.iterdir()) == []
    assert not [record for record in person.calls(told.id, "files.write") if not record.error.reason]


def test_spellings_of_one_call_are_one_call(person: Person) -> None:
    (person.folder / "a").write_text("0123456789")
    spellings = ['"3"', "3", '"3"']
    told, answers = asks(person, *(call(f'{{"path":"./a","offset":{three}}}', "files.read") for three in spellings))
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert len({record.digest for record in person.calls(told.id, "files.read")}) == 1


# ---- questions


def test_a_thousand_questions_are_twenty(person: Person) -> None:
    source = REFUSALS + "result = [reason(lambda: files.read(f'n{n}')) for n in range(1000)]"
    told = person.run(source, BOTH.replace("}", ', ask = "always" }'), policy=NO, limits="calls = 2000")
    assert isinstance(told.result, list)
    assert len(told.result) == 1000
    assert len(told.prompts) == 20
    assert "asked more than 20 times" in told.result[-1]


def test_questions_side_by_side_are_few_and_bounded(person: Person) -> None:
    source = REFUSALS + (
        "result = [gather(*[files.read.call(f'n{batch}-{n}') for n in range(64)]) and 1 for batch in range(30)]"
    )
    told = person.run(source, BOTH.replace("}", ', ask = "always" }'), policy=NO, limits="calls = 5000")
    assert len(told.prompts) == 20
    assert max(len(prompt.lines) for prompt in told.prompts) <= 64
    assert max(prompt.ByteSize() for prompt in told.prompts) < 1 << 20


def test_a_question_cannot_be_answered_when_its_run_is_over(person: Person) -> None:
    stream = person.start(person.source("open('a').read()"), ask=pb.ASK_WAIT)
    prompt = next(event.prompt for event in stream if event.WhichOneof("event") == "prompt")
    person.cancel(prompt.run)
    assert [event for event in stream if event.WhichOneof("event") == "ended"]
    with pytest.raises(grpc.RpcError) as refusal:
        person.answer(prompt, ONCE(prompt) or ())
    assert error_of(refusal.value).code == error_pb2.CODE_NOT_FOUND
    assert person.grants(all=True) == []


def test_a_grant_until_a_time_ends_with_it_in_the_midst_of_a_run(person: Person) -> None:
    (person.folder / "a").write_text("a")

    def for_a_moment(prompt: pb.Prompt) -> Iterable[pb.Decision]:
        if len(prompt.lines[0].offers) < 2 or prompt.review is False:
            return NO(prompt) or ()
        until = int(time.time() * 1000) + 600
        return [pb.Decision(number=1, choice=pb.CHOICE_UNTIL, until_ms=until)]

    source = REFUSALS + (
        "import time\nresult = []\nfor _ in range(200):\n"
        "    result.append(reason(lambda: files.read('a')))\n    time.sleep(0.02)\n"
        "    if result[-1] != 'allowed': break\n"
    )
    told = person.run(source, '"files.read" = { path = ["a"] }', policy=for_a_moment)
    assert isinstance(told.result, list)
    assert set(told.result[:-1]) == {"allowed"}
    assert told.result[-1] == "the person said no"
    assert [grant.state for grant in person.grants(all=True)] == [pb.GRANT_STATE_EXPIRED]


# ---- programs that are not what was allowed


def test_a_program_that_changes_while_it_is_reviewed_runs_as_it_was_shown(person: Person) -> None:
    place = person.folder / "program.py"
    source = person.source("result = 'as shown'", BOTH)
    place.write_bytes(source.content)

    def rewrite(prompt: pb.Prompt) -> Iterable[pb.Decision]:
        place.write_text("result = 'as rewritten'")
        return FOR_VERSION(prompt) or ()

    assert person.follow(person.start(source), rewrite).result == "as shown"


def test_a_program_that_rewrites_itself_has_nothing_in_its_new_version(person: Person) -> None:
    (person.folder / "a").write_text("a")
    place = person.folder / "program.py"
    source = person.source("open('program.py', 'a').write('\\nresult = open(\"a\").read()')", BOTH)
    place.write_bytes(source.content)
    assert person.follow(person.start(source, grant_manifest=True, ask=pb.ASK_DENY)).status == "done"
    assert "result" in place.read_text()
    rewritten = pb.Source(path=str(place), content=place.read_bytes())
    assert person.follow(person.start(rewritten, ask=pb.ASK_DENY)).status == "refused"
    told = person.follow(person.start(rewritten), NO)
    assert {line.state for line in told.prompts[0].lines} == {pb.LINE_STATE_KEPT}
    assert "changed since you allowed it" in told.prompts[0].why


def test_a_program_cannot_write_itself_a_wider_manifest(person: Person) -> None:
    wider = '[grants]\n"files.read" = { path = ["/**"] }\n'
    told = person.run(f"open('agent.toml', 'w').write({wider!r})", BOTH)
    assert told.status == "refused"
    assert not (person.folder / "agent.toml").exists()


@pytest.mark.parametrize("name", ["program.wasm", "program.cwasm", "program.py"])
def test_native_code_is_no_program(person: Person, name: str) -> None:
    image = Component(wasmtime.Engine(), component("echo")).serialize()
    with pytest.raises(grpc.RpcError) as refusal:
        person.run(bytes(image), name=name)
    error = error_of(refusal.value)
    assert error.code == error_pb2.CODE_INVALID
    assert error.hint


# ---- what a program writes with


GOVERNED = (
    ".bashrc", ".profile", ".zshenv", "x/.git/hooks/post-checkout", "x/.git/config", ".gitconfig", ".envrc", "x/.envrc",
    "lib/a.pth", "sitecustomize.py", "conftest.py", ".config/autostart/x.desktop", ".config/systemd/user/x.service",
    "x.service", "x.timer", ".local/share/systemd/user/x", ".ssh/authorized_keys", ".local/bin/ls", "bin/ls", ".npmrc",
    "Library/LaunchAgents/x.plist", ".vscode/tasks.json", ".github/workflows/x.yml", "agent.toml",
    ".config/fish/x.fish",
)  # fmt: skip


def test_no_pattern_covers_a_place_that_executes_or_configures(person: Person) -> None:
    for place in GOVERNED:
        (person.folder / place).parent.mkdir(parents=True, exist_ok=True)
    source = REFUSALS + (
        f"places = {GOVERNED!r}\n"
        "result = [reason(lambda: files.write(place, text='evil')) for place in places]\n"
        "result += [reason(lambda: files.append(place, text='evil')) for place in places]\n"
        "files.write('ready', text='evil')\n"
        "result += [reason(lambda: files.move('ready', place)) for place in places]\n"
    )
    told = person.run(source, f"{BOTH}\n{MOVES}")
    assert set(told.result if isinstance(told.result, list) else []) == {"nobody was there to ask"}
    assert [place.name for place in person.folder.rglob("*") if place.is_file()] == ["ready"]
    assert len([record for record in person.calls(told.id) if record.error.reason]) == 3 * len(GOVERNED)


SLIPPERY = """
import io, os, stat, tarfile, zipfile
def tried(what):
    try:
        what()
    except Exception as refused:
        return type(refused).__name__
    return "done"
names = ["../out", "/out", "a/../../out", "..\\\\out", "/etc/cron.d/out", "link/out"]
held = io.BytesIO()
with zipfile.ZipFile(held, "w") as archive:
    for name in names:
        archive.writestr(zipfile.ZipInfo(name), "evil")
    link = zipfile.ZipInfo("in/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(link, "/etc")
result = [tried(lambda: zipfile.ZipFile(held).extractall("in"))]
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w") as archive:
    for name in names:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    archive.addfile(link)
packed.seek(0)
for member in tarfile.open(fileobj=packed).getmembers():
    packed.seek(0)
    result.append(tried(lambda: tarfile.open(fileobj=packed).extract(member, "in", filter="fully_trusted")))
"""


def test_what_an_archive_names_stays_within_the_grant(person: Person, tmp_path: Path) -> None:
    told = person.run(SLIPPERY, '"files.read" = { path = ["in/**"] }\n"files.write" = { path = ["in/**"] }')
    assert told.status == "done"
    assert {place.name for place in person.folder.iterdir()} <= {"in"}
    assert not [place for place in person.folder.rglob("*") if place.is_symlink()]
    assert not (tmp_path.parent / "out").exists()
    assert not Path("/out").exists()
    assert not Path("/etc/cron.d/out").exists()


A_THOUSANDFOLD = "import zlib\npacked = zlib.compress(bytes(200 << 20), 9)\nheld = [zlib.decompress(packed), packed]"
WITHOUT_END = """
import zipfile, io
archive = zipfile.ZipFile(io.BytesIO(), "w")
while True: archive.writestr(zipfile.ZipInfo("x" * 60_000), "")
"""


@pytest.mark.parametrize("source", [A_THOUSANDFOLD, WITHOUT_END], ids=["a thousandfold", "entries without end"])
def test_an_archive_that_explodes_is_the_programs_own_memory(person: Person, source: str) -> None:
    told = person.run(source, BOTH, limits='memory = "128MiB", cpu = "10s"')
    assert (told.status, told.ended.error.code) == ("limit", error_pb2.CODE_LIMIT), told.ended


def test_a_run_makes_no_more_files_and_folders_than_it_may(person: Person) -> None:
    deep = "/".join(["d"] * 40)
    source = f"""
from agentos.sdk import LimitExceeded, files
result = 0
for number in range(200):
    try:
        files.mkdir(f"{{number}}/{deep}", parents=True)
        result += 41
    except LimitExceeded as reached:
        result = [result, reached.detail]
        break
"""
    told = person.run(source, BOTH)
    assert isinstance(told.result, list)
    assert told.result[1] == "quota"
    assert told.result[0] <= 5_000
    assert person.run("open('a', 'w').write('x')", BOTH).status == "done"  # another run has a quota of its own
