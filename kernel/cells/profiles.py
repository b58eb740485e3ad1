"""The filters of our four kinds of confined process, as tables. From the widest to the strictest: capability server
(with or without network), compiler, zygote, cell.

Rules: no profile but a server's may open a file, make a socket or start a program; nobody may hold memory that is
writable and executable at once; nobody may look into, signal or trace another process. A cell may only compute,
read and write what it has open, and end.

The lists were held against what each process was seen to ask for in its work (strace -f, on x86-64): what a cell or a
server of ours never asked for is not in them, with these exceptions, which stay. What is another spelling of the same,
as another libc, another machine or an older system has it (open and openat, poll and ppoll, epoll_wait and
epoll_pwait). What comes in a bad moment: an abort, a signal, a lock that two want. What tells a process of itself only
(getuid, getrusage). What ctypes makes its callbacks with, where memory may not be writable and executable at once
(memfd_create). And what the runtimes of other languages begin with, for a server that is not ours.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from agentos.kernel.cells.seccomp import Alternatives, Filter, Match, always, one_of

_PROT_WRITE, _PROT_EXEC = 2, 4
_SIGCHLD, _CLONE_PARENT_SETS_TID = 17, 0x01200000
_CLONE_VM_AND_THREAD: Final = 0x00010100
_CLONE_NAMESPACES: Final = 0x7E020080
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 1, 4, 15, 38
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_KIND = 1, 2, 0xF
_TCP, _UDP = 6, 17
_SCHED_OTHER = 0
PIDFD_SELF: Final = -10000
_TCGETS, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX = 0x5401, 0x541B, 0x5421, 0x5450, 0x5451

_COMPUTE: Final = always(
    "read write writev close fstat lseek brk munmap mremap madvise futex rt_sigaction rt_sigprocmask rt_sigreturn "
    "sigaltstack setitimer sched_yield sched_getaffinity getpid gettid getppid getuid geteuid getgid getegid "
    "clock_gettime clock_getres gettimeofday time getrandom getrusage restart_syscall exit exit_group"
)
_BEYOND_A_CELL: Final = always("poll ppoll readv clock_nanosleep nanosleep set_robust_list set_tid_address rseq")
"""A cell waits for nothing but its line, which it reads, and begins no thread and no process."""
_NO_EXEC: Final[Mapping[str, Alternatives]] = {
    "mmap": ((Match(2, 0, _PROT_EXEC),),),
    "mprotect": ((Match(2, 0, _PROT_EXEC),),),
}
_NO_WRITE_AND_EXEC: Final[Mapping[str, Alternatives]] = {
    "mmap": ((Match(2, 0, _PROT_EXEC),), (Match(2, 0, _PROT_WRITE),)),
    "mprotect": ((Match(2, 0, _PROT_EXEC),), (Match(2, 0, _PROT_WRITE),)),
}
_OWN_LIMITS: Final[Mapping[str, Alternatives]] = {"prlimit64": one_of(0, [0])}
_ORDINARY: Final[Mapping[str, Alternatives]] = {"sched_setscheduler": ((Match(0, 0), Match(1, _SCHED_OTHER)),)}
"""To be scheduled like any other process, which is what it was before its zygote gave way."""
_THREADS: Final[Mapping[str, Alternatives]] = {
    "clone": ((Match(0, _CLONE_VM_AND_THREAD, _CLONE_VM_AND_THREAD | _CLONE_NAMESPACES),),)
}


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BREAK_INS: Final = _names(
    "ptrace process_vm_readv process_vm_writev pidfd_getfd bpf keyctl perf_event_open userfaultfd io_uring_setup "
    "io_uring_enter io_uring_register mount setns name_to_handle_at open_by_handle_at"
)
_NEVER_IN_A_CELL: Final = _BREAK_INS | _names(
    "socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg execve "
    "execveat kill tkill rt_sigqueueinfo pidfd_open pidfd_send_signal unshare"
)

CELL: Final = Filter(
    allow={**_COMPUTE, **_NO_EXEC, **_OWN_LIMITS, **_ORDINARY},
    kill=_NEVER_IN_A_CELL,
    absent=frozenset({"clone3"}),
)
"""A running guest: compute, and talk over the one open descriptor. Also stops what sets up further walls."""

ZYGOTE: Final = Filter(
    allow={
        **_COMPUTE,
        **_NO_EXEC,
        **_OWN_LIMITS,
        **_ORDINARY,
        **_BEYOND_A_CELL,
        **always("recvmsg sendmsg wait4 pidfd_open close_range landlock_restrict_self"),
        "process_madvise": one_of(0, [PIDFD_SELF & 0xFFFFFFFF]),
        "clone": one_of(0, [_SIGCHLD, _SIGCHLD | _CLONE_PARENT_SETS_TID]),
        "seccomp": one_of(0, [1]),
        "prctl": one_of(0, [_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS]),
    },
    kill=_BREAK_INS,
    absent=frozenset({"clone3"}),
)
"""The zygote: fork (with no other flag), wait, hand over descriptors, and let a cell confine itself further."""

COMPILER: Final = Filter(
    allow={
        **_COMPUTE,
        **_BEYOND_A_CELL,
        **_NO_WRITE_AND_EXEC,
        **_OWN_LIMITS,
        **_THREADS,
        "prctl": one_of(0, [_PR_SET_NAME]),
    },
    kill=_NEVER_IN_A_CELL,
    absent=frozenset({"clone3"}),
)
"""The compiler: compute with threads, and seal finished code as executable."""

_READING: Final = always(
    "open openat openat2 stat lstat newfstatat statx fstatfs statfs access faccessat faccessat2 readlink readlinkat "
    "getdents64 getcwd unlink unlinkat pread64 preadv fadvise64"
)
"""With unlink, since who listens first removes what stands at the place of its socket."""

_WRITING: Final = always(
    "mkdir mkdirat rmdir linkat rename renameat renameat2 pwrite64 pwritev ftruncate truncate fallocate fsync "
    "fdatasync fgetxattr fsetxattr flock fchmod umask utimensat"
)
# No wall of files stands before it: who may watch learns the names in any folder that the person can read.
_WATCHING: Final = always("inotify_init1 inotify_add_watch inotify_rm_watch")
_SERVING: Final = always(
    "fcntl dup dup2 dup3 pipe pipe2 eventfd eventfd2 epoll_create1 epoll_ctl epoll_wait epoll_pwait select pselect6 "
    "accept accept4 getsockname getpeername getsockopt setsockopt shutdown sendto sendmsg recvfrom recvmsg uname "
    "sysinfo getresuid getresgid sched_getparam sched_getscheduler memfd_create"
)
_OTHER_RUNTIMES: Final = always(
    "getdents chdir fchdir copy_file_range sendfile splice epoll_pwait2 timerfd_create membarrier mincore msync "
    "arch_prctl getpgrp getpgid getsid getgroups close_range times getrlimit"
)
"""What a program in another language may begin with, or copy files with. No server of ours asks for any of it."""


def _sockets(families: tuple[int, ...], kind: int, *protocols: int) -> Alternatives:
    """Sockets of one kind and no other protocol: SCTP, MPTCP and the like are code of the system that nobody needs."""
    return tuple(
        (Match(0, family), Match(1, kind, _SOCK_KIND), Match(2, protocol))
        for family in families
        for protocol in (0, *protocols)
    )


def server(*, network: bool, execs: bool, writes: bool = True, watches: bool = False, begins: bool = True) -> Filter:
    """A capability server: files as far as Landlock lets it, Unix sockets to listen on, threads, no processes.

    `writes` is for one that has folders to write in, `watches` for one that tells of changes and serves no call.
    `execs` leaves execve open, for a command that is not a Python module: the filter must be on before it starts.
    `begins` is for one that has yet to listen; once it does, it puts on the filter without (`capabilities/narrow.py`),
    and makes no Unix socket any more, to listen or to connect.
    """
    unix = _sockets((_AF_UNIX,), _SOCK_STREAM)
    allow: dict[str, Alternatives] = {
        **_COMPUTE,
        **_BEYOND_A_CELL,
        **_READING,
        **(_WRITING if writes else {}),
        **(_WATCHING if watches else {}),
        **_SERVING,
        **_NO_WRITE_AND_EXEC,
        **_OWN_LIMITS,
        **_THREADS,
        "ioctl": one_of(1, [_TCGETS, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX]),
        "prctl": ((Match(0, _PR_SET_NAME),), (Match(0, _PR_SET_DUMPABLE), Match(1, 0))),
        "tgkill": one_of(0, [os.getpid()]),
    }
    if begins:
        allow |= {**always("bind listen"), "socket": unix, "socketpair": unix, "seccomp": one_of(0, [1])}
    if network:
        allow |= always("connect sendmmsg recvmmsg")
        internet = (_AF_INET, _AF_INET6)
        tcp, udp = _sockets(internet, _SOCK_STREAM, _TCP), _sockets(internet, _SOCK_DGRAM, _UDP)
        allow["socket"] = allow.get("socket", ()) + tcp + udp
    if execs:
        allow |= {**always("execve"), **_OTHER_RUNTIMES}
    return Filter(allow=allow, kill=_BREAK_INS, absent=frozenset({"clone3"}))
