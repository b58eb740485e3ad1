"""A machine that lacks a wall: Landlock's system call is taken away here from the shell and all that it starts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shell.conftest import Shell, environment

# Number 444 is landlock_create_ruleset on every machine that has it; it answers "no such system call", all others pass.
LACKING = """
import ctypes, errno, os, struct, sys
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, IF_EQUAL, RETURN, FAIL, ALLOW = 0x20, 0x15, 0x06, 0x00050000, 0x7FFF0000
steps = [(LOAD_NUMBER, 0, 0, 0), (IF_EQUAL, 0, 1, 444), (RETURN, 0, 0, FAIL | errno.ENOSYS), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
filtered = struct.pack("=H6xQ", len(steps), ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filtered), 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "agentos.shell.main", *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Lacking(Shell):
    """The command line on that machine."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", LACKING, *arguments]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lacking")
    Shell(place, environment(place / "home")).made()
    return place


@pytest.mark.skipif(sys.platform != "linux", reason="walls are Linux's")
def test_a_missing_wall_is_said_and_refused_where_all_are_required(place: Path) -> None:
    lacking = Lacking(place, environment(place / "home"))
    refused = lacking("up", "--detach", "--require-walls")
    assert refused.code == 5
    assert "this machine lacks walls: landlock" in refused.err
    assert "without --require-walls it starts all the same" in refused.err
    up = lacking("up", "--detach")
    try:
        assert up.code == 0
        assert "missing wall: landlock" in up.err
    finally:
        assert lacking("down").code == 0


def test_where_all_walls_hold_they_can_be_required(place: Path) -> None:
    shell = Shell(place, environment(place / "home"))
    up = shell("up", "--detach", "--require-walls")
    if "this machine lacks walls" in up.err:
        pytest.skip(up.err)
    assert up.code == 0, up.err
    assert shell("down").code == 0
