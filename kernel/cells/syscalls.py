"""System calls by name: their numbers on the two machines we build filters for, and a way to make one.

Source: Linux `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` (aarch64). A name that
one machine lacks has `None` there. From 424 on both tables agree.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from typing import Final

_TABLE: Final = """
read 0 63, write 1 64, open 2 -, close 3 57, stat 4 -, fstat 5 80, lstat 6 -, poll 7 -, lseek 8 62, mmap 9 222,
mprotect 10 226, munmap 11 215, brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
ioctl 16 29, pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, access 21 -, pipe 22 -, select 23 -,
sched_yield 24 124, mremap 25 216, msync 26 227, mincore 27 232, madvise 28 233, dup 32 23, dup2 33 -,
nanosleep 35 101, getitimer 36 102, setitimer 38 103, getpid 39 172, sendfile 40 71, socket 41 198, connect 42 203,
accept 43 202, sendto 44 206, recvfrom 45 207, sendmsg 46 211, recvmsg 47 212, shutdown 48 210, bind 49 200,
listen 50 201, getsockname 51 204, getpeername 52 205, socketpair 53 199, setsockopt 54 208, getsockopt 55 209,
clone 56 220, fork 57 -, vfork 58 -, execve 59 221, exit 60 93, wait4 61 260, kill 62 129, uname 63 160,
fcntl 72 25, flock 73 32, fsync 74 82, fdatasync 75 83, truncate 76 45, ftruncate 77 46, getdents 78 -,
getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -, mkdir 83 -, rmdir 84 -, creat 85 -, link 86 -, unlink 87 -,
symlink 88 -, readlink 89 -, chmod 90 -, fchmod 91 52, chown 92 -, fchown 93 55, umask 95 166, gettimeofday 96 169,
getrlimit 97 163, getrusage 98 165, sysinfo 99 179, times 100 153, ptrace 101 117, getuid 102 174, getgid 104 176,
setuid 105 146, setgid 106 144, geteuid 107 175, getegid 108 177, setpgid 109 154, getppid 110 173, getpgrp 111 -,
setsid 112 157, getgroups 115 158, setresuid 117 147, getresuid 118 148, getresgid 120 150, getpgid 121 155,
getsid 124 156, rt_sigpending 127 136, rt_sigtimedwait 128 137, rt_sigqueueinfo 129 138, rt_sigsuspend 130 133,
sigaltstack 131 132, mknod 133 -, statfs 137 43, fstatfs 138 44, sched_getparam 143 121, sched_setscheduler 144 119,
sched_getscheduler 145 120,
prctl 157 167, arch_prctl 158 -, setrlimit 160 164, mount 165 40, capset 126 91, gettid 186 178,
fsetxattr 190 7, getxattr 191 8,
lgetxattr 192 9, fgetxattr 193 10, tkill 200 130, time 201 -, futex 202 98, sched_getaffinity 204 123,
getdents64 217 61, set_tid_address 218 96, restart_syscall 219 128, fadvise64 221 223, timer_create 222 107,
clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, exit_group 231 94, epoll_wait 232 -,
epoll_ctl 233 21, tgkill 234 131, waitid 247 95, keyctl 250 219, inotify_add_watch 254 27, inotify_rm_watch 255 28,
openat 257 56, mkdirat 258 34, mknodat 259 33, fchownat 260 54, newfstatat 262 79, unlinkat 263 35, renameat 264 38,
linkat 265 37, symlinkat 266 36, readlinkat 267 78, fchmodat 268 53, faccessat 269 48, pselect6 270 72,
ppoll 271 73, unshare 272 97, set_robust_list 273 99, splice 275 76, utimensat 280 88, epoll_pwait 281 22,
timerfd_create 283 85, eventfd 284 -, fallocate 285 47, accept4 288 242, eventfd2 290 19, epoll_create1 291 20,
dup3 292 24, pipe2 293 59, inotify_init1 294 26, preadv 295 69, pwritev 296 70, perf_event_open 298 241,
prlimit64 302 261, name_to_handle_at 303 264, open_by_handle_at 304 265, sendmmsg 307 269, recvmmsg 299 243,
setns 308 268, process_vm_readv 310 270, process_vm_writev 311 271, sched_setattr 314 274, sched_getattr 315 275,
renameat2 316 276, seccomp 317 277,
getrandom 318 278, memfd_create 319 279, bpf 321 280, execveat 322 281, userfaultfd 323 282, membarrier 324 283,
copy_file_range 326 285, statx 332 291, rseq 334 293, pidfd_send_signal 424 424, io_uring_setup 425 425,
io_uring_enter 426 426, io_uring_register 427 427, pidfd_open 434 434, clone3 435 435, close_range 436 436,
openat2 437 437, pidfd_getfd 438 438, faccessat2 439 439, process_madvise 440 440, epoll_pwait2 441 441,
landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446
"""

_COLUMN: Final = {"x86_64": 0, "amd64": 0, "aarch64": 1, "arm64": 1}


def _read_table() -> dict[str, tuple[int | None, int | None]]:
    rows = (row.split() for row in _TABLE.replace("\n", " ").split(","))
    return {name: (None if x86 == "-" else int(x86), None if arm == "-" else int(arm)) for name, x86, arm in rows}


NUMBERS: Final = _read_table()


class NoSuchCall(OSError):
    """This platform has no such system call (or we know no number for it): the wall built on it is missing."""


def machine() -> str | None:
    """`x86_64` or `aarch64` on Linux; None where we know no numbers."""
    column = _COLUMN.get(platform.machine().lower())
    if sys.platform != "linux" or column is None or sys.maxsize < 2**32:
        return None
    return ("x86_64", "aarch64")[column]


def number(name: str, on: str) -> int | None:
    """The number of a call on a machine (`x86_64` or `aarch64`); None where that machine lacks it."""
    return NUMBERS[name][_COLUMN[on]]


_HERE: Final = machine()
_MOST: Final = 6
_syscall: Final = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long, *[ctypes.c_void_p] * _MOST, use_errno=True)(
    ("syscall", ctypes.CDLL(None))
)


def syscall(name: str, *args: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make one system call; raises OSError with the kernel's errno, or NoSuchCall."""
    found = None if _HERE is None else number(name, _HERE)
    if found is None:
        raise NoSuchCall(f"no system call {name} here")
    result = int(_syscall(found, *args, *[0] * (_MOST - len(args))))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return result
