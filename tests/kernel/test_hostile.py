"""Programs that mean harm, cells and servers that die, and shells that are none: through the real kernel."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import psutil
import pytest

from agentos.home import unlocking
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.cells.components import component
from tests.kernel.person import Person, Told, Up, error_of, eventually

READ = '"files.read" = { path = ["**"] }'
WRITE = '"files.write" = { path = ["**"] }'

# What no error text may hold: how our side is built, and where it lies.
HOST_TEXT = (
    "/work",
    "site-packages",
    "Errno",
    "agentos/kernel",
    "agentos/capabilities",
    "grpc",
    "wasmtime",
    "asyncio.",
)
HOSTILE = """
import json
from agentos.sdk import files, gather, call
said = []
def attempt(name, what):
    try:
        said.append([name, "reached", repr(what())[:200]])
    except BaseException as refused:
        said.append([name, type(refused).__name__, " ".join(map(str, refused.args))])
places = ["/proc/self/environ", "/proc/1/root/etc/passwd", "/etc/shadow", "/root/.ssh/id_rsa", "../../etc/passwd",
          "~/.ssh/id_rsa", "/dev/mem", "/sys/kernel", "/run", "a\\0b", "x" * 5000, "/", "", ".", "link/passwd", "fifo"]
for place in places:
    for action in (files.read, files.list, files.stat, files.trash):
        attempt(place[:40], lambda: action(place))
    attempt(place[:40], lambda: files.write(place, text="x"))
    attempt(place[:40], lambda: open(place).read())
for args in ({}, {"path": 5}, {"path": "a", "offset": -1}, {"path": "a", "offset": 2**62}, {"path": "a", "no": 1}):
    attempt("args", lambda: call("files.read", args))
for action in ("files.Read", "control.run", "", "files", "files.read.x", "x" * 10_000, "agentos.v1.ControlService"):
    attempt("action", lambda: call(action, {"path": "a"}))
attempt("many", lambda: gather(*[files.read.call("/etc/passwd")] * 200))
import os, socket, subprocess
attempt("environment", lambda: [name for name in os.environ if "agentos" in name.lower()] or 1 / 0)
attempt("subprocess", lambda: subprocess.run(["id"]))
attempt("fork", lambda: os.fork())
attempt("kill", lambda: os.kill(1, 9))
attempt("socket", lambda: socket.create_connection(("127.0.0.1", 22)))
attempt("ctypes", lambda: __import__("ctypes").CDLL(None))
result = said
"""


def test_a_hostile_program_reaches_nothing_and_learns_nothing_of_the_host(person: Person) -> None:
    os.symlink("/etc", person.folder / "link")
    os.mkfifo(person.folder / "fifo")
    told = person.run(HOSTILE, READ + "\n" + WRITE, limits='wall = "30s"')
    said = told.result
    assert isinstance(said, list)
    reached = {each[0] for each in said if each[1] == "reached"}
    assert reached == {".", "fifo"}  # its own folder, listed, and a fifo there, looked at: that it was granted
    texts = [" ".join(each) for each in said]
    texts += [call.error.reason + call.error.hint for call in person.calls(told.id)] + [told.ended.traceback]
    for word in HOST_TEXT:
        assert [text for text in texts if word in text] == []
    assert "root:" not in json.dumps(said)


def test_the_kernels_own_home_cannot_be_named(person: Person, up: Up) -> None:
    key = up.home.parent / "key"
    above = f'"files.read" = {{ path = ["{up.home.parent}/**"] }}'
    source = """
from agentos.sdk import files
result = []
for path in ARGS:
    for action in (files.read, files.list, files.stat):
        try:
            result.append(repr(action(path)))
        except PermissionError as refused:
            result.append(refused.reason)
""".replace("ARGS", repr([str(up.home), f"{up.home}/run/credential", f"{up.home}/../home/run"]))
    told = person.run(source, above)
    if told.status == "done":
        assert isinstance(told.result, list)
        assert set(told.result) == {"the kernel's own home is not reachable"}
    assert key.exists()


# ---- limits


@pytest.mark.parametrize(
    ("source", "limits", "reason"),
    [
        ("while True: pass", 'cpu = "1s"', "CPU limit"),
        ("import time\nwhile True: time.sleep(0.02)", 'wall = "300ms"', "wall limit"),
        ("x = ()\nfor _ in range(1_200_000): x = (x,)\ndel x", 'memory = "256MiB"', "deeper than its stack"),
        ("while True: pass", 'wall = "300ms"', "wall limit"),
        ("held = []\nwhile True: held.append(bytearray(4 << 20))", 'memory = "64MiB"', "emory"),
        ("from agentos.sdk import files\nwhile True: files.read('a.txt')", "calls = 5", "more than 5 calls"),
        (
            "from agentos.sdk import files\nwhile True:\n  try: files.read('a.txt')\n  except OSError: pass",
            "calls = 5",
            "beyond its limit",
        ),
    ],
)
def test_each_limit_ends_a_run_as_one(person: Person, source: str, limits: str, reason: str) -> None:
    (person.folder / "a.txt").write_text("a")
    told = person.run(source, READ, limits=limits)
    assert told.status == "limit", told.ended
    assert told.ended.error.code == error_pb2.CODE_LIMIT
    assert reason in told.ended.error.reason
    assert told.ended.error.hint


def test_output_is_kept_up_to_its_limit(person: Person) -> None:
    told = person.run("for _ in range(100): print('x' * 999)", READ, limits='output = "10KiB"')
    assert told.status == "done"
    assert told.ended.output_cut
    assert len(told.ended.output) == len(told.output) == 10 << 10


def test_a_result_has_a_limit(person: Person) -> None:
    told = person.run("result = 'x' * (2 << 20)", READ)
    assert (told.status, "larger than" in told.ended.error.reason) == ("limit", True)


# ---- console, cancel


def test_a_program_asks_for_a_line_and_gets_what_is_typed(person: Person) -> None:
    def type_it(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "input_wanted":
            assert event.input_wanted == "who? "
            person.type(told.id, "Ada")

    stream = person.start(person.source("result = input('who? ')"), interactive=True)
    assert person.follow(stream, on=type_it).result == "Ada"


def test_without_a_console_there_is_no_line(person: Person) -> None:
    assert person.run("input()").ended.error.reason.startswith("EOFError")


def test_a_run_is_cancelled_and_nothing_is_left_of_it(person: Person) -> None:
    def cancel(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "output":
            person.cancel(told.id)

    stream = person.start(person.source("print('on', flush=True)\nimport time\ntime.sleep(0)\nwhile True: pass"))
    assert person.follow(stream, on=cancel).status == "cancelled"
    assert eventually(lambda: person.status().cells_busy == 0)


# ---- what dies


def test_a_call_whose_server_is_killed_in_its_middle_is_looked_up_and_made_again(person: Person) -> None:
    (person.folder / "a.txt").write_text("a")
    assert person.run("result = open('a.txt').read()", READ).result == "a"
    source = """
from agentos.sdk import files
print("begun", flush=True)
for _ in range(300):
    files.write("b.txt", text="x" * 100_000)
result = files.read("a.txt", as_text=True).text
"""

    killed: list[int] = []

    def stopped() -> bool:
        pid = person.capability("files").pid
        with contextlib.suppress(ProcessLookupError):  # it was replaced just now
            if pid:
                os.kill(pid, signal.SIGSTOP)
                killed.append(pid)
        return bool(killed)

    def kill_server(run: str) -> None:
        assert eventually((person.folder / "b.txt").exists)  # it writes: the server is the one with that folder
        assert eventually(stopped)
        assert eventually(lambda: person.calls(run)[-1].duration_us == 0)  # admitted, and no answer yet
        os.kill(killed[0], signal.SIGKILL)

    def kill(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "output":
            threading.Thread(target=kill_server, args=(told.id,)).start()

    stream = person.start(person.source(source, READ + "\n" + WRITE), grant_manifest=True, ask=pb.ASK_DENY)
    told = person.follow(stream, on=kill)
    assert told.result == "a"
    assert killed
    assert person.capability("files").pid not in killed
    assert not any(call.HasField("error") for call in person.calls(told.id))


def test_a_run_whose_cells_are_killed_one_after_the_other_ends_alone(person: Person, up: Up) -> None:
    """Once or twice somebody may have been wrong; a run that is killed four times is meant."""

    def kill(kind: str, event: pb.RunResponse, told: Told) -> None:
        for _ in range(4) if kind == "output" else ():
            assert eventually(lambda: bool(_spinning(up.pid)))
            cell = _spinning(up.pid)[0]
            cell.kill()
            assert eventually(lambda cell=cell: cell not in _spinning(up.pid))  # type: ignore[misc]

    stream = person.start(person.source("print('on', flush=True)\nx = 0\nwhile True: x += 1"))
    told = person.follow(stream, on=kill)
    assert told.status == "failed"
    assert told.output == "on\n"
    assert "the cell ended" in told.ended.error.reason
    assert person.run("result = 1").result == 1


def _spinning(kernel: int) -> list[psutil.Process]:
    return [cell for cell in _cells(kernel) if _used(cell) > 0.3]


def _used(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:2]))
    return 0.0


def _cells(kernel: int) -> list[psutil.Process]:
    """The processes that a zygote forked: their parent runs the same command."""
    attributes = ["status", "cmdline", "ppid"]
    found = list(psutil.Process(kernel).children(recursive=True))
    seen: dict[psutil.Process, dict[str, object]] = {}
    for child in found:
        with contextlib.suppress(psutil.NoSuchProcess):  # cells come and go
            seen[child] = child.as_dict(attributes)
    zygotes = {child.pid for child, known in seen.items() if "zygote" in str(known["cmdline"])}
    return [child for child, known in seen.items() if known["ppid"] in zygotes and known["status"] != "zombie"]


# ---- who is no shell of this person


@pytest.mark.parametrize("given", [None, "", "Bearer ", "Bearer x", "bearer {}", "{}", "Bearer {} "])
def test_without_the_credential_nothing_is_answered(person: Person, up: Up, given: str | None) -> None:
    metadata = () if given is None else (("authorization", given.format(up.credential)),)
    control = person.control
    asks: list[Callable[[], object]] = [
        lambda: control.Status(pb.StatusRequest(), metadata=metadata),
        lambda: control.Shutdown(pb.ShutdownRequest(), metadata=metadata),
        lambda: control.Revoke(pb.RevokeRequest(id="g1"), metadata=metadata),
        lambda: list(control.Run(person.request(person.source("1")), metadata=metadata)),
    ]
    for ask in asks:
        with pytest.raises(grpc.RpcError) as refused:
            ask()
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_credential_is_the_persons_alone(up: Up) -> None:
    credential = up.home / "run" / "credential"
    assert credential.stat().st_mode & 0o777 == 0o600
    assert (up.home / "run").stat().st_mode & 0o777 == 0o700


def test_a_second_kernel_on_the_home_is_refused(up: Up) -> None:
    command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(up.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 5
    assert json.loads(done.stdout)["error"]["code"] == "locked_by_other"


# ---- what is no program


@pytest.mark.parametrize(
    ("content", "filled", "reason"),
    [
        (b"", 50, "50.0 MiB; a program is at most 1 MiB"),
        (b"\xff\xfe", 0, ""),
        (b"\0asm", 65, "65.0 MiB"),
        (b"# /// script\n# [tool.agentos\n# ///\n", 0, ":2"),
        (b'# /// script\n# [tool.agentos.grants]\n# "files.fly" = { path = ["x"] }\n# ///\n', 0, "files.fly"),
    ],
    ids=["50 MB", "not UTF-8", "65 MB of Wasm", "broken TOML", "unknown action"],
)
def test_what_is_no_program_is_refused_before_it_is_a_run(
    person: Person, content: bytes, filled: int, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        person.run(content + b"x" * (filled << 20))
    error = error_of(refused.value)
    assert error.code == error_pb2.CODE_INVALID
    assert reason in error.reason
    assert not [word for word in HOST_TEXT if word in error.reason + error.hint]


def test_what_a_run_is_given_has_a_limit_and_is_what_it_says_it_is(person: Person) -> None:
    for source, given, reason in (
        (person.source("result = 1"), '"' + "x" * (4 << 20) + '"', "the input is larger than 4 MiB"),
        (person.source("result = 1"), '{"a": ', "the input is not JSON"),
        (person.source("result = 1", name="program.wasm"), "", "program.wasm is not WebAssembly"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            person.follow(person.start(source, input=given))
        assert error_of(refused.value).reason.startswith(reason)


OTHER_IMPORT = b'(component (import "wasi:cli/environment@0.2.0" (instance)))'


def test_what_is_no_component_of_ours_ends_as_invalid(person: Person) -> None:
    import wasmtime

    for content in (b"\0asm", b"\0asm\x01\0\0\0", b"\0asm" + b"\xff" * 100, bytes(wasmtime.wat2wasm(OTHER_IMPORT))):
        told = person.run(content, name="program.wasm")
        assert (told.status, told.ended.error.code) == ("failed", error_pb2.CODE_INVALID)
        assert not [word for word in HOST_TEXT if word in told.ended.error.reason + told.ended.error.hint]


@pytest.mark.parametrize("source", ["def f(:", "(" * 5000, "x" * 900_000, "\0"])
def test_what_cannot_be_compiled_says_so(person: Person, source: str) -> None:
    told = person.run(source)
    assert told.status == "failed"
    assert not [word for word in HOST_TEXT if word in told.ended.error.reason + told.ended.error.hint]


def test_any_component_that_imports_only_the_kernel_runs(person: Person) -> None:
    told = person.run(component("echo"), name="echo.wasm")
    assert told.ended.timings_us.first_line, told.ended
    assert person.run(component("trap"), name="trap.wasm").status == "failed"
    assert person.run(component("flood"), name="flood.wasm").status == "failed"


def test_requests_that_are_none_count_too(person: Person) -> None:
    source = person.source(component("pester"), name="pester.wasm")
    source.manifest, source.manifest_path = b"limits = { calls = 2 }", str(person.folder / "agent.toml")
    told = person.follow(person.start(source, ask=pb.ASK_DENY))
    assert (told.status, told.ended.error.code) == ("limit", error_pb2.CODE_LIMIT)
    assert "beyond its limit" in told.ended.error.reason


def test_a_component_in_use_is_not_put_away_for_the_next_ones(person: Person) -> None:
    def crowd(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "accepted":
            for number in range(6):
                other = component("echo") + bytes([0, 2, 1, number])  # a section of its own: another component
                assert person.run(other, name="other.wasm").ended.timings_us.first_line
            person.cancel(told.id)

    stream = person.start(person.source(component("spin"), name="spin.wasm"), ask=pb.ASK_DENY)
    assert person.follow(stream, on=crowd).status == "cancelled"


def test_the_kernel_is_well_after_all_that(person: Person, up: Up) -> None:
    assert person.run("result = 1").result == 1
    assert eventually(lambda: person.status().cells_busy == 0)
    assert person.status().runs_active == 0
    assert person.status().prompts_open == 0
    assert "Traceback" not in (up.home.parent / "log").read_text()
    log = Path(os.environ["AGENTOS_STATE"], unlocking.read(up.home).home, "kernel.log").read_text()
    assert "run.ended" in log
    assert "kernel.fault" not in log
