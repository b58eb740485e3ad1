"""A process that holds a key of a home: what it does first, how it is told a secret, and how it answers.

A secret comes over a descriptor until its end, or from AGENTOS_PASSPHRASE; never from the command line, which everyone
can read. The answer is one line of JSON on another descriptor, or else on standard output: what was made or found, or
{"error": {"code", "reason", "hint"}}. Before it, lines may say how far it has come: {"progress": [done, of]}.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

import msgspec

from agentos.home.keys import HomeError

VARIABLE: Final = "AGENTOS_PASSPHRASE"
MAX_SECRET: Final = 65_536
REFUSED: Final = 5
STACK_BYTES: Final = 8 << 20
LARGE_BYTES: Final = 256 << 10
_PR_SET_DUMPABLE: Final = 4
_M_MMAP_THRESHOLD: Final = -3
Said = dict[str, object]
T = TypeVar("T")


def harden() -> None:
    """No core, and no other process looks into its memory. Raises HomeError where that cannot be had."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise HomeError("walls", "this machine does not keep others from looking into our memory", "agentos doctor")


def modest_stacks() -> None:
    """Whatever the person's own limit is: each thread of a server counts its whole stack against its memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if not 0 <= soft <= STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))


def give_back() -> None:
    """What is large is given back to the system when it is let go of: a snapshot of megabytes is needed for a moment.

    By default glibc begins to keep such room, for the next one, once it was asked for it.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


@contextmanager
def loading() -> Iterator[None]:
    """Nothing is looked through for garbage: what is loaded stays, and would be looked through again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run(serving: Coroutine[None, None, T]) -> T:
    """On the quickest event loop there is."""
    try:
        import uvloop
    except ImportError:  # it has no build for every platform
        import asyncio

        return asyncio.run(serving)
    return uvloop.run(serving)


def become(module: str, *arguments: str, **descriptors: int | None) -> NoReturn:
    """Go on as another program in this same process: nothing of our memory is left, no key in it.

    It is given these descriptors, `until_fd` as the option --until-fd.
    """
    given: list[str] = []
    for name, descriptor in descriptors.items():
        if descriptor is not None:
            os.set_inheritable(descriptor, True)
            given.append(f"--{name.replace('_', '-')}={descriptor}")
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments, *given])  # noqa: S606


def secret(descriptor: int | None) -> str:
    """What opens the home. It is taken out of the environment, so that nothing we start inherits it."""
    given = os.environ.pop(VARIABLE, "")
    return told(descriptor) or given


def told(descriptor: int | None) -> str:
    """What comes over a descriptor until its end; nothing where there is none. Nobody we start inherits it."""
    if descriptor is None:
        return ""
    os.set_inheritable(descriptor, False)
    with open(descriptor, "rb") as pipe:
        given = pipe.read(MAX_SECRET)
    try:
        return given.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise HomeError("invalid", "the secret is not text", "type it again") from None


def say(descriptor: int | None, said: Said) -> None:
    try:
        os.write(sys.stdout.fileno() if descriptor is None else descriptor, msgspec.json.encode(said) + b"\n")
    except BrokenPipeError:
        return


def progress(descriptor: int | None) -> Callable[[int, int], None]:
    """Says how far it has come, a hundred times at most."""
    last = -1

    def told(done: int, of: int) -> None:
        nonlocal last
        if descriptor is not None and (percent := done * 100 // max(of, 1)) > last:
            last = percent
            say(descriptor, {"progress": [done, of]})

    return told


def refuse(descriptor: int | None, code: str, reason: str, hint: str) -> int:
    """Say why not; the exit status."""
    say(descriptor, {"error": {"code": code, "reason": reason, "hint": hint}})
    return REFUSED
