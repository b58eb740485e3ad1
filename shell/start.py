"""A kernel on this machine: found, or started for one command, or started to stay.

The shell never opens a home. It runs `python -m agentos.home` or `agentos.kernel` for that, hands it a secret over a
pipe and reads one line of JSON from another; what a kernel says on its standard error goes to a file that is shown if
it fails.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from agentos.shell import homes
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure, no_kernel
from agentos.shell.found import Found, serving_now
from agentos.shell.paint import say
from agentos.v1 import control_pb2 as pb

SLOW_SECONDS = 1.0
STOP_SECONDS = 20.0
# A first start prepares the guest, and the machine may be busy.
START_SECONDS = 120.0
MODULES = {"serve": "agentos.kernel", "wait": "agentos.locked", "explain": "agentos.locked.explained"}
Progress = Callable[[int, int], object]
Explained = tuple[pb.Program, Sequence[pb.CapabilityInfo]]
T = TypeVar("T")
# Who keeps us running is not to be told of our kernel.
KEEPERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Serving:
    """A kernel process that this shell started. It holds `pipe` open for as long as it needs it; -1: it stays."""

    def __init__(self, process: subprocess.Popen[bytes], found: Found, pipe: int) -> None:
        self.process = process
        self.found = found
        self._pipe = pipe

    @property
    def fields(self) -> dict[str, object]:
        return {"home": self.found.home, "pid": self.found.pid, "socket": self.found.socket}

    def wait(self) -> None:
        """Stay until it ends; what ends us stops it."""
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self.process.wait()
        finally:
            self.stop()

    def leave(self, kernel: Kernel) -> None:
        """Let go of it, and see that it ends, unless somebody else came to use it."""
        os.close(self._pipe)
        until = time.monotonic() + STOP_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(Failure):
                if kernel.call(kernel.stub.Status, pb.StatusRequest()).runs_active:
                    say("another run uses this kernel now: it stops when that has ended", "yellow")
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# ---- what the kernel's own command says


def home_says(
    verb: str, *options: str, secret: str = "", new: str = "", progress: Progress | None = None
) -> dict[str, object]:
    """Run `agentos.home VERB` to its end; returns the one line it says. Raises Failure with its error.

    `new` is a passphrase to be: it comes beside the secret that opens the home, and like it over a pipe. `progress` is
    told how far it has come, of how much.
    """
    if not new:
        process, said = _start([verb, *options], secret, progress=progress)
    else:
        told, given = os.pipe()
        os.write(given, new.encode())
        os.close(given)
        with open(told, "rb"):
            process, said = _start([verb, *options, f"--new-fd={told}"], secret, told)
    process.wait()
    return said


def explained(found: Found, request: pb.ExplainRequest) -> Explained:
    """What a program may ask, and all there is, where no kernel serves. Raises Failure for what is no program."""
    home = ["--home", found.home] if found.exists else []

    def asked(secret: str) -> dict[str, object]:
        with tempfile.TemporaryFile() as asking:
            asking.write(request.SerializeToString())
            asking.seek(0)
            process, said = _start(["explain", f"--request-fd={asking.fileno()}", *home], secret, asking.fileno())
        process.wait()
        return said

    said = homes.first(homes.secrets(found.locks) if found.exists else ("",), asked)
    if isinstance(refused := said.get("refused"), dict):
        raise Failure(str(refused["reason"]), str(refused["hint"]))
    program, known = map(base64.b64decode, said["told"])  # type: ignore[call-overload]  # JSON of our own command
    return pb.ExplainResponse.FromString(program).program, pb.ListCapabilitiesResponse.FromString(known).capabilities


def where(home: str) -> Found:
    """Is there a home, how is it locked, does a kernel serve it."""
    return serving_now(home) or looked_at(home)


def looked_at(home: str) -> Found:
    """The same, of the home itself: how it is locked is told though a kernel serves it."""
    said = home_says("where", *placed(home))
    known = {name: said[name] for name in ("home", "exists", "pid", "keyring") if name in said}
    locks = said.get("locks")
    return Found(
        **known,  # type: ignore[arg-type]  # JSON of our own kernel
        locks=tuple(map(str, locks)) if isinstance(locks, list) else (),
        socket=str(said.get("socket") or ""),
        credential=str(said.get("credential") or ""),
    )


def placed(home: str) -> list[str]:
    return ["--home", os.path.abspath(home)] if home else []


def _start(
    arguments: Sequence[str], secret: str, *inherited: int, progress: Progress | None = None
) -> tuple[subprocess.Popen[bytes], dict[str, object]]:
    """Start a kernel command and read the line it says. It has a session of its own: Ctrl-C is for us alone."""
    ready, told = os.pipe()
    secrets, given = os.pipe()
    with tempfile.TemporaryFile() as complaints:
        command = [sys.executable, "-m", MODULES.get(arguments[0], "agentos.home"), *arguments]
        keyless = arguments[0] == "wait"
        process = subprocess.Popen(
            [*command, "--ready-fd", str(told), *([] if keyless else ["--secret-fd", str(secrets)])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=(told, secrets, *inherited),
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in KEEPERS},
        )
        os.close(told)
        os.close(secrets)
        with contextlib.suppress(BrokenPipeError), open(given, "wb") as pipe:
            pipe.write(secret.encode())
        try:
            line = _line(ready, progress, arguments[0] in ("serve", "wait"))
        except BaseException:
            process.terminate()
            raise
        said: dict[str, object] = json.loads(line) if line else {"error": _silent(process, complaints.fileno())}
    if isinstance(error := said.get("error"), dict):
        process.wait()
        code = str(error.get("code", "unavailable"))
        raise Failure(str(error.get("reason")), str(error.get("hint", "")), Exit.NO_KERNEL, code)
    return process, said


def _line(ready: int, progress: Progress | None, kernel: bool) -> bytes:
    with open(ready, "rb") as pipe:
        if progress:
            return _told(pipe, progress)
        if kernel and not select.select([pipe], [], [], SLOW_SECONDS)[0] and sys.stderr.isatty():
            say("starting the kernel; the first start of a home prepares the guest, some 10 s", "dim")
        return pipe.readline()


def _told(pipe: BinaryIO, progress: Progress) -> bytes:
    """The line that matters, after those that say how far it has come."""
    while (line := pipe.readline()).startswith(b'{"progress":'):
        progress(*json.loads(line)["progress"])
    return line


def _silent(process: subprocess.Popen[bytes], complaints: int) -> dict[str, str]:
    process.wait()
    os.lseek(complaints, 0, os.SEEK_SET)
    last = os.read(complaints, 65_536).decode("utf-8", "replace").strip().splitlines()[-1:]
    return {"reason": f"the kernel did not start: {last[0] if last else 'it said nothing'}"}


# ---- a kernel for a command


@contextmanager
def local(home: str, make_home: bool, start: bool, runs: bool) -> Iterator[Kernel]:
    """The kernel that is up, else (with `start`) one for this command alone."""
    if start:
        serving = alone(
            home, lambda found: _served_or_made(home, found, make_home, 1, command="run" if runs else "look")
        )
    elif not (serving := where(home)).socket:
        raise no_kernel(f"no kernel is up for {serving.home}", "start one: agentos up --detach")
    if isinstance(serving, Found):
        with contextlib.closing(serving.kernel()) as kernel:
            yield kernel
        return
    with contextlib.closing(serving.found.kernel()) as kernel:
        try:
            yield kernel
        finally:
            serving.leave(kernel)


def alone(home: str, attempt: Callable[[Found], T]) -> T | Found:
    """What comes of it while nobody else holds the home; or the kernel that serves it.

    Who holds it for a moment, to read it or because it starts or ends, is waited for.
    """
    while not (found := where(home)).socket:
        try:
            return attempt(found)
        except Failure as failed:
            if failed.code != "locked_by_other":
                raise
            _let_go(home, failed)
    return found


def _let_go(home: str, failed: Failure) -> None:
    """Until who holds a home lets go of it, or serves it. Raises this Failure where neither comes."""
    until = time.monotonic() + START_SECONDS
    while serving_now(home) is None and looked_at(home).pid is not None:
        if time.monotonic() > until:
            raise failed
        time.sleep(0.05)


def up(home: str, ready: int, require_walls: bool, detach: bool, locked: bool = False) -> Serving:
    """Start a kernel that stays: with `detach` for good, else as long as we do; with `locked` it waits for the key."""

    def started(found: Found) -> Serving:
        if locked and not found.exists:
            raise no_kernel(f"there is no home yet: {found.home}", "make one: agentos init")
        if locked:
            return served(found, ("",), ready, require_walls, detach, "wait")
        return _served_or_made(home, found, True, ready, require_walls, detach)

    waits = False
    while isinstance(serving := alone(home, started), Found):
        if not _leaves(serving):
            raise no_kernel(f"a kernel is up already for {serving.home}", "use that one, or stop it: agentos down")
        if not waits:
            say("a kernel is up for another command: this one starts when that, and what it runs, is over", "dim")
        waits = True
        time.sleep(0.2)
    return serving


def _leaves(found: Found) -> bool:
    """Whether this kernel ends by itself, or just did."""
    try:
        with contextlib.closing(found.kernel()) as kernel:
            return kernel.call(kernel.stub.Status, pb.StatusRequest()).leaves
    except Failure:
        return serving_now(found.home) is None


def gone(home: str) -> None:
    """Wait until no kernel serves this home. Raises Failure if it stays."""
    until = time.monotonic() + STOP_SECONDS
    while looked_at(home).pid is not None:
        if time.monotonic() > until:
            raise no_kernel("the kernel was told to stop and is still there", "agentos doctor, or end its process")


def _served_or_made(
    home: str, found: Found, make_home: bool, ready: int, require_walls: bool = False, detach: bool = False,
    command: str = "",
) -> Serving:  # fmt: skip
    """Start a kernel, on a new home if there is none; what was just chosen for that is not asked again."""
    if found.exists:
        return served(found, homes.secrets(found.locks), ready, require_walls, detach, command=command)
    if not make_home:
        raise no_kernel(
            f"there is no home yet: {found.home}", "agentos run PROGRAM makes one, and so does agentos init"
        )
    made = homes.make(home, homes.Way())
    homes.show(made)
    return served(where(home), (made.secret,), ready, require_walls, detach, command=command)


def served(
    found: Found, secrets: Iterable[str], ready: int, require_walls: bool = False, detach: bool = False,
    verb: str = "serve", command: str = "",
) -> Serving:  # fmt: skip
    """Start a kernel on a home that is there, with the first of these secrets that opens it.

    `command`: it is for one alone, run or look; the second is up before its guest is prepared.
    """
    closed, pipe = (-1, -1) if detach else os.pipe()
    until = [] if detach else [closed]
    options = ["--home", found.home, "--ready-cells", str(ready), *(["--require-walls"] if require_walls else [])]
    options += [*(["--command", command] if command else []), *(f"--until-fd={descriptor}" for descriptor in until)]
    try:
        process, said = homes.first(secrets, lambda secret: _start([verb, *options], secret, *until))
    except BaseException:
        for descriptor in (*until, *([] if detach else [pipe])):
            os.close(descriptor)
        raise
    known = {name: said[name] for name in ("pid", "socket", "credential")}
    for wall in said.get("missing", []):  # type: ignore[attr-defined]
        say(f"missing wall: {wall}", "yellow")
    for descriptor in until:
        os.close(descriptor)
    return Serving(process, Found(found.home, True, found.locks, **known), pipe)  # type: ignore[arg-type]
