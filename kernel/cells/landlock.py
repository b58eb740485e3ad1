"""Landlock: which files a process may reach at all, whatever its filter lets it try.

Every right that the running kernel's ABI knows is handled, hence refused unless a rule gives it back beneath a path.
With no rules at all a process opens nothing. From ABI 4 TCP bind and connect are handled too, from ABI 6 signals and
abstract sockets to anyone outside. Source: `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from agentos.kernel.cells.syscalls import syscall

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 9
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

READ: Final = _READ_FILE | _READ_DIR
RUN: Final = READ | _EXECUTE
WRITE: Final = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
LISTEN: Final = READ | _MAKE_SOCK | _REMOVE_FILE
_OF_A_FILE: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_FS_BY_ABI: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_BIND, _NET_CONNECT = 1, 2
_SCOPE_ABSTRACT_AND_SIGNAL: Final = 3
_ASK_VERSION, _PATH_BENEATH = 1, 1


@dataclass(frozen=True, slots=True)
class Rule:
    """Rights beneath a path. A path that does not exist gives nothing."""

    path: str
    rights: int


def abi() -> int:
    """The ABI version of the running kernel; 0 where there is no Landlock."""
    try:
        return syscall("landlock_create_ruleset", None, 0, _ASK_VERSION)
    except OSError:
        return 0


def _handled(version: int, connect: bool) -> bytes:
    files = max((rights for since, rights in _FS_BY_ABI.items() if since <= version), default=0)
    if version < 4:
        return struct.pack("=Q", files)
    net = _NET_BIND if connect else _NET_BIND | _NET_CONNECT
    if version < 6:
        return struct.pack("=QQ", files, net)
    return struct.pack("=QQQ", files, net, _SCOPE_ABSTRACT_AND_SIGNAL)


def _add(ruleset: int, rule: Rule, known: int) -> None:
    try:
        place = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = rule.rights & known
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        attribute = struct.pack("=Qi", rights, place)
        syscall("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.create_string_buffer(attribute, len(attribute)), 0)
    finally:
        os.close(place)


class Ruleset:
    """What is handled and what is given back, made ahead, so that each of many forks is confined by one call.

    Who has its descriptor can give more back: close it before anything runs that is not ours. OSError where there is no
    Landlock.
    """

    def __init__(self, rules: Iterable[Rule] = (), *, connect: bool = False) -> None:
        self.abi = syscall("landlock_create_ruleset", None, 0, _ASK_VERSION)
        attribute = _handled(self.abi, connect)
        self._descriptor = syscall(
            "landlock_create_ruleset", ctypes.create_string_buffer(attribute, len(attribute)), len(attribute), 0
        )
        known = int.from_bytes(attribute[:8], "little")
        for rule in rules:
            _add(self._descriptor, rule, known)

    def put_on(self) -> None:
        """Confine this thread for good, in a scope of its own; needs no_new_privs."""
        syscall("landlock_restrict_self", self._descriptor, 0)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._descriptor)


def put_on(rules: Iterable[Rule] = (), *, connect: bool = False) -> int:
    """Confine this thread for good; needs no_new_privs. Returns the ABI in force. OSError where there is none."""
    ruleset = Ruleset(rules, connect=connect)
    try:
        ruleset.put_on()
    finally:
        ruleset.close()
    return ruleset.abi
