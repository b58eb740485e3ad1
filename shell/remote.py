"""A kernel somewhere else, over ssh: its socket is forwarded to a socket in a 0700 folder of ours.

The far side says where its kernel listens and hands over the credential, through ssh's own channel; nothing is
written there, and nothing of it is kept here. The forwarding ends with the command, however that ends: the far side
runs `cat`, which ends with the pipe that we hold.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentos.shell.connect import Kernel
from agentos.shell.failure import Failure, no_kernel

SECONDS = 20.0
_UNREACHED = 255
# No leading hyphen anywhere: a host must never be read as an option of ssh.
_ADDRESS = re.compile(r"ssh://((?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9][\w.-]*|\[[0-9a-fA-F:]+\]))(?::(\d{1,5}))?/?")


def command(address: str) -> list[str]:
    """The ssh command for an address as ssh://[user@]host[:port]. Raises Failure for anything else."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise Failure(f"{address} is no address of a kernel", "write it as ssh://[user@]host[:port]")
    port = ["-p", found[2]] if found[2] else []
    return ["ssh", "-T", "-o", "BatchMode=yes", *port, "--", re.sub(r"[\[\]]", "", found[1])]


@contextmanager
def reached(address: str) -> Iterator[Kernel]:
    """A kernel on another machine, for as long as the block lasts."""
    ssh = command(address)
    there = _where(ssh, address)
    with tempfile.TemporaryDirectory(prefix="agentos-") as folder:
        local = Path(folder) / "control.sock"
        forward = ["-o", "ExitOnForwardFailure=yes", "-L", f"{local}:{there['socket']}"]
        with subprocess.Popen(
            [*ssh[:-2], *forward, *ssh[-2:], "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as tunnel:
            try:
                _await(local, tunnel, address)
                kernel = Kernel(str(local), there["token"], local=False)
                try:
                    yield kernel
                finally:
                    kernel.close()
            finally:
                tunnel.terminate()


def _where(ssh: list[str], address: str) -> dict[str, str]:
    """Where the far kernel listens, and its credential. Raises Failure with exit code 5."""
    by_hand = " ".join(["ssh", *ssh[4:-2], ssh[-1], "agentos where"])
    try:
        told = subprocess.run(
            [*ssh, "agentos", "where", "--json"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise no_kernel(f"{address} did not answer", f"try it by hand: {by_hand}") from None
    said = told.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = said[-1] if said else "it said nothing"
    if told.returncode == _UNREACHED:
        raise no_kernel(f"{address} cannot be reached: {reason}", f"try it by hand: {by_hand}")
    try:
        there = json.loads(told.stdout)
    except ValueError:
        hint = "is it installed there, and on the PATH of a shell without a terminal?"
        raise no_kernel(f"no agentos answers at {address}: {reason}", hint) from None
    if "token" not in there:
        raise no_kernel(f"no kernel is up at {address}", "start it there: agentos up --detach")
    return {"socket": str(there["socket"]), "token": str(there["token"])}


def _await(local: Path, tunnel: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + SECONDS
    while not local.exists():
        if tunnel.poll() is not None or time.monotonic() > until:
            raise no_kernel(f"ssh could not forward the socket of {address}", "is AllowStreamLocalForwarding on there?")
        time.sleep(0.02)
