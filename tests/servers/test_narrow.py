"""The second wall of a server: put on when it listens, or it does not serve."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TRY = "from agentos.capabilities.narrow import narrow; narrow(); print('serves')"


def serves(left: str | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "AGENTOS_NARROWER"}
    environment |= {} if left is None else {"AGENTOS_NARROWER": left}
    command = [sys.executable, "-c", TRY]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the walls are Landlock and seccomp")
@pytest.mark.parametrize("left", ["317:00", "317:" + "00" * 8, "1000000:06000000", "nothing", "317:zz"])
def test_a_server_whose_second_wall_cannot_be_put_on_does_not_serve(left: str) -> None:
    done = serves(left)
    assert done.returncode != 0
    assert "serves" not in done.stdout


def test_a_server_that_was_left_none_serves() -> None:
    """As on a system without filters: what is missing there is said at the start of the kernel."""
    assert serves(None).stdout == "serves\n"
