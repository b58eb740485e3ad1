"""Seccomp filters, built in pure Python: what a process may still ask of the operating system.

A filter is a table (call name to conditions on its arguments) turned into classic BPF. What is not in the table fails
with EPERM: the standard library, libc and wasmtime all cope with a refused call, and an honest process that strays
onto a rare path gets an error and not a mystery death. Calls in `kill` end the process at once (SIGSYS): they are those
no honest process of that profile ever makes, so making one means that it was broken into. Calls in `absent` fail with
ENOSYS, which makes libc fall back to an older one whose arguments can be checked (clone3 to clone).

Conditions look at the low 32 bits of an argument: the ones we check are C ints or flag words without high bits.
A call for the other architecture of the machine (i386, x32) kills.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agentos.kernel.cells.syscalls import NoSuchCall, machine, number, syscall

_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT: Final = 0x40000000

_LOAD, _AND, _JUMP_EQ, _JUMP_GE, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_SET_MODE_FILTER, _GET_ACTION_AVAIL = 1, 2


@dataclass(frozen=True, slots=True)
class Match:
    """Holds when `args[index] & mask == value` (low 32 bits)."""

    index: int
    value: int
    mask: int = 0xFFFFFFFF


Alternatives = tuple[tuple[Match, ...], ...]
"""Any of these, each of which needs all of its matches; no alternatives at all means: always."""

ALWAYS: Final[Alternatives] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """What is allowed, what kills, and what looks as if it did not exist; all else is EPERM."""

    allow: Mapping[str, Alternatives]
    kill: frozenset[str] = field(default_factory=frozenset)
    absent: frozenset[str] = field(default_factory=frozenset)


def always(names: str) -> dict[str, Alternatives]:
    """A table that allows each of the space-separated calls, whatever their arguments."""
    return dict.fromkeys(names.split(), ALWAYS)


def one_of(index: int, values: Iterable[int]) -> Alternatives:
    """Alternatives that hold when an argument has one of these values."""
    return tuple((Match(index, value),) for value in values)


def _op(code: int, constant: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, constant)


def _conditions(alternatives: Alternatives) -> list[bytes]:
    """Code that returns ALLOW when an alternative holds, and falls through when none does."""
    if not alternatives:
        return [_op(_RETURN, _ALLOW)]
    code: list[bytes] = []
    for matches in alternatives:
        length = 3 * len(matches) + 1
        for position, match in enumerate(matches):
            to_next = length - 3 * position - 3
            code += [_op(_LOAD, 16 + 8 * match.index), _op(_AND, match.mask), _op(_JUMP_EQ, match.value, 0, to_next)]
        code.append(_op(_RETURN, _ALLOW))
    return code


def assemble(rules: Filter, on: str) -> bytes:
    """The BPF program for one machine: an array of `struct sock_filter`."""
    code = [_op(_LOAD, 4), _op(_JUMP_EQ, _AUDIT_ARCH[on], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, 0)]
    if on == "x86_64":
        code += [_op(_JUMP_GE, _X32_BIT, 0, 1), _op(_RETURN, _KILL)]
    endings: list[tuple[str, list[bytes]]] = [(name, [_op(_RETURN, _KILL)]) for name in sorted(rules.kill)]
    endings += [(name, [_op(_RETURN, _ERRNO | errno.ENOSYS)]) for name in sorted(rules.absent)]
    refuse = [_op(_RETURN, _ERRNO | errno.EPERM)]
    endings += [(name, _conditions(when) + (refuse if when else [])) for name, when in rules.allow.items()]
    for name, body in endings:
        wanted = number(name, on)
        if wanted is not None:
            code += [_op(_JUMP_EQ, wanted, 0, len(body)), *body]
    return b"".join(code + refuse)


class Program:
    """An assembled filter, ready to be put on; made ahead so that putting it on costs one system call."""

    def __init__(self, rules: Filter) -> None:
        here = machine()
        if here is None:
            raise NoSuchCall("no seccomp on this platform")
        code = assemble(rules, here)
        self._code = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(header, len(header))

    def put_on(self) -> None:
        """Confine this thread, and all that it starts, for good; needs no_new_privs."""
        syscall("seccomp", _SET_MODE_FILTER, 0, self._header)


def available() -> bool:
    """Whether this kernel knows filters that can kill a process."""
    try:
        syscall("seccomp", _GET_ACTION_AVAIL, 0, ctypes.create_string_buffer(struct.pack("=I", _KILL), 4))
    except OSError:
        return False
    return True
