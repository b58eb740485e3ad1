"""The second wall of a server: what it needs only until it listens, it cannot do any more once it does.

To listen, a server has to make a Unix socket, and of those the system cannot say which may be connected to what: one
that was taken over could go on to a container engine, a desktop's bus or an agent of keys. So the launcher leaves, in
the environment, a second and narrower filter, as the bytes of a `struct sock_filter` array in hex; it has no Unix
sockets, no bind and no listen. From then on all threads of the process are under both.

Source: seccomp(2), SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_TSYNC.
"""

from __future__ import annotations

import ctypes
import os
import struct

LEFT_IN = "AGENTOS_NARROWER"
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


def narrow() -> None:
    """Put the filter on, where one was left. Raises OSError: a server without this wall must not serve."""
    left = os.environ.pop(LEFT_IN, "")
    if not left:
        return
    number, code = left.split(":")
    filter_ = ctypes.create_string_buffer(bytes.fromhex(code), len(code) // 2)
    header = struct.pack("=H6xQ", len(filter_) // 8, ctypes.addressof(filter_))
    libc = ctypes.CDLL(None, use_errno=True)
    # Above 0 it is the thread that could not follow, below it failed as a whole.
    if libc.syscall(ctypes.c_long(int(number)), _SET_MODE_FILTER, _ALL_THREADS, header):
        raise OSError(ctypes.get_errno(), "the second wall could not be put on")
