"""A kernel without its key: have it forget the key, and bring it again, from here or from afar."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from agentos.shell import homes
from agentos.shell.failure import Exit, Failure, no_kernel
from agentos.shell.paint import say
from agentos.shell.session import DEFAULTS, Common, Optional
from agentos.shell.text import plural
from agentos.v1 import control_pb2 as pb

if TYPE_CHECKING:
    from agentos.shell.connect import Kernel

# A first start prepares the guest; runs that are under way are let go of before a key is forgotten.
UNLOCKED_WITHIN_S, LOCKED_WITHIN_S = 120.0, 30.0
PAUSE_S = 0.1
KEY_FILE_LETTERS = 256


def lock(*, common: Common = DEFAULTS) -> int:
    """Have the kernel forget the key, and wait to be unlocked again.

    Runs go on after the unlock; one that is followed in a terminal is cancelled.
    The process starts anew: nothing of what it knew stays in its memory.
    """
    with common.kernel(start=False) as kernel:
        before = _status(kernel)
        kernel.call(kernel.stub.Shutdown, pb.ShutdownRequest(lock=True))
    until = time.monotonic() + LOCKED_WITHIN_S
    while not _is_locked(common):
        if time.monotonic() > until:
            raise no_kernel("the kernel was told to lock and did not say that it has", "agentos down ends it")
        time.sleep(PAUSE_S)
    if not common.answer({"pid": before.pid, "state": "locked"}):
        say("the kernel was locked already" if before.locked else "the kernel is locked: agentos unlock")
    return 0


def _is_locked(common: Common) -> bool:
    """Asked anew each time: the kernel that locks itself has another credential then."""
    try:
        with common.kernel(start=False) as kernel:
            return _status(kernel).locked
    except Failure:
        return False


def unlock(*, key_file: Annotated[str, Optional] = "", common: Common = DEFAULTS) -> int:
    """Bring a kernel that is locked its key: it goes on from there, with the events that came meanwhile.

    With --on, the passphrase, or what is in the key file, goes over the forwarded
    control socket and is never written on that machine.

    Parameters
    ----------
    key_file
        The key file, on this machine. Else the passphrase or the recovery key is asked for, or AGENTOS_PASSPHRASE is.
    """
    with common.kernel(start=False) as kernel:
        before = _status(kernel)
        if before.locked:
            _opened(kernel, _secrets(key_file, tuple(before.locks)))
            now = _up(kernel)
        else:
            now = before
    if not common.answer({"pid": now.pid, "state": "unlocked", "events": before.events_sealed}):
        came = f"; {plural(before.events_sealed, 'event')} came meanwhile" if before.events_sealed else ""
        say(f"the kernel is up: pid {now.pid}{came}" if before.locked else "the kernel is not locked")
    return 0


def _secrets(key_file: str, locks: tuple[str, ...]) -> Iterable[str]:
    """What to try, one by one."""
    if key_file:
        with open(os.path.expanduser(key_file), encoding="ascii", errors="replace") as file:
            return (file.read(KEY_FILE_LETTERS).strip(),)
    if given := os.environ.get(homes.VARIABLE):
        return (given,)
    return homes.secrets(locks)


def _opened(kernel: Kernel, secrets: Iterable[str]) -> None:
    wrong = no_kernel("the home is locked")
    for secret in secrets:
        try:
            kernel.call(kernel.stub.Unlock, pb.UnlockRequest(secret=secret), seconds=UNLOCKED_WITHIN_S)
            return
        except Failure as failed:
            wrong = failed
            if failed.exit_code not in (Exit.REFUSED, Exit.FAILED):  # another secret would not help
                break
    raise wrong


def _up(kernel: Kernel) -> pb.StatusResponse:
    """Wait until the kernel has taken the place of the one that waited. Raises Failure with what went wrong there."""
    until = time.monotonic() + UNLOCKED_WITHIN_S
    while time.monotonic() < until:
        try:
            now = _status(kernel)
        except Failure as failed:
            if failed.exit_code != Exit.NO_KERNEL:
                raise
        else:
            if not now.locked:
                return now
            if now.trouble.reason:
                raise no_kernel(now.trouble.reason, now.trouble.hint)
        time.sleep(PAUSE_S)
    raise no_kernel("the kernel took the key and did not come up", "see there: agentos doctor")


def _status(kernel: Kernel) -> pb.StatusResponse:
    return kernel.call(kernel.stub.Status, pb.StatusRequest())
