"""The zygote: maps the image, shuts itself in, and forks one cell for each request of the kernel.

It is exec'd, never forked from the kernel, so there is no key in its memory; it starts with an empty environment,
standard streams on /dev/null, the control socket, and the image as a sealed memfd. It is
single-threaded (a fork of a threaded process inherits locks that nobody will open) and knows nothing of programs.

Our own guest is instantiated here, once: each cell begins as a copy of it, which costs a fork and no more. It is our
own code, from an image that was authenticated, and no program is ever in it. Another component is never entered here.

Protocol, datagrams on the control socket: the kernel sends `F` with a cell's end of a socketpair; the zygote
answers `f` + pid as 4 bytes big-endian, with a pidfd of the cell (none where there are no pidfds). When a cell ends,
the zygote sends `x` + pid + wait status + user and system CPU in microseconds + peak memory in KiB, 4 bytes each but
the CPU times, which have 8. At the start it says `r` + the names of missing walls, or `e` + why it cannot start.

The kernel kills through the pidfd, which cannot hit another process; a zygote that dies takes its cells along
(PDEATHSIG), and dies with the kernel itself.
"""

from __future__ import annotations

import array
import fcntl
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from agentos.kernel.cells import cell, profiles, rehearsal, turns, walls
from agentos.kernel.cells.cell import Nest, Walls
from agentos.kernel.cells.frames import EXITED
from agentos.kernel.cells.landlock import Ruleset
from agentos.kernel.cells.runtime import Image, Instance, NotAGuest, Trapped
from agentos.kernel.cells.seccomp import Program

T = TypeVar("T")
CONTROL, IMAGE = 3, 4
FIRST: Final = b'{"first":{}}'
FIRST_MEMORY: Final = 512 << 20
LIMITS: Final = walls.Limits(files=1024, file_bytes=0, data_bytes=4 << 30)


def main() -> None:
    """Arguments: the kernel's pid, the two descriptors, and whether the guest is our own."""
    parent, control_fd, image_fd, own = (int(word) for word in sys.argv[1:])
    _place(control_fd, image_fd)
    control = socket.socket(fileno=CONTROL)
    try:
        image = Image(f"/dev/fd/{IMAGE}")
        os.close(IMAGE)
        guest = begun(image) if own else None
    except (NotAGuest, Trapped):
        control.sendmsg([b"eimage"])
        return
    nest = Nest(image, guest, tuple(_descriptors()), cell_walls(os.getpid()))
    _settle()
    if own:
        nest = replace(nest, make_ready=rehearsal.prepared(rehearsal.rehearse(nest)))
    _give_way()
    wake = _bell()
    missing = shut_in(parent)
    control.sendmsg([b"r" + ",".join(missing).encode()])
    _settle()
    serve(control, wake, nest)


def begun(image: Image) -> Instance:
    """Our own guest, for all cells to begin from: made, and entered once. No program is in it."""
    guest = Instance(image, FIRST_MEMORY, lambda request: cell.NOT_YET)
    guest.run(FIRST)
    return guest


def _settle() -> None:
    """What is there now stays: the collector of a cell does not look at it again, which would copy all of it."""
    gc.collect()
    gc.freeze()


def _give_way() -> None:
    """Neither forks nor runs that begin interrupt whoever wakes them: a kernel finishes first what it is at.

    And they let it in when it has something to do again.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    turns.take(turns.LONG_US)


def _bell() -> int:
    """A descriptor that becomes readable when a child ends."""
    wake, ring = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return wake


def shut_in(parent: int) -> list[str]:
    """Put on the zygote's walls; the names of those that do not stand."""
    raised = [walls.put_on("threads", walls.single_threaded)]
    raised += walls.shut_in(profiles.ZYGOTE, LIMITS, parent=parent)
    return [wall.name for wall in raised if not wall.held]


def cell_walls(zygote: int) -> Walls:
    """What each cell puts on, made once."""
    return Walls(zygote, _made(Ruleset), _made(lambda: Program(profiles.CELL)))


def _made(wall: Callable[[], T]) -> T | None:
    """None where this machine has no such wall; `shut_in` says so, of the zygote's own."""
    try:
        return wall()
    except OSError:
        return None


def _place(control: int, image: int) -> None:
    """Bring the two descriptors to their numbers and close all others."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 64) for descriptor in (control, image)]
    for descriptor, wanted in zip(high, (CONTROL, IMAGE), strict=True):
        os.dup2(descriptor, wanted, inheritable=False)
    walls.close_descriptors(range(IMAGE + 1))


def _descriptors() -> set[int]:
    return {number for number in map(int, os.listdir("/dev/fd")) if number > CONTROL and _is_open(number)}


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def serve(control: socket.socket, wake: int, nest: Nest) -> None:
    """Fork on request and report ends, until the kernel hangs up."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == wake:
                _drain(wake)
                _reap(control)
            elif not _fork(control, nest):
                return


def _drain(wake: int) -> None:
    try:
        while os.read(wake, 4096):
            pass
    except BlockingIOError:
        pass


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        times = (int(used.ru_utime * 1e6), int(used.ru_stime * 1e6))
        control.sendmsg([EXITED.pack(b"x", pid, status, *times, used.ru_maxrss)])


def _fork(control: socket.socket, nest: Nest) -> bool:
    message, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(4))
    if message != b"F":
        return False
    line = array.array("i", ancillary[0][2][:4])[0]
    pid = os.fork()
    if pid == 0:
        cell.main(line, nest)
    os.close(line)
    told = b"f" + pid.to_bytes(4, "big")
    try:
        pidfd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        control.sendmsg([told])
        return True
    control.sendmsg([told], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))])
    os.close(pidfd)
    return True


if __name__ == "__main__":
    main()
