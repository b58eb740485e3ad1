"""The commands of home and kernel as the shell uses them: a line of JSON out, a secret in, and nothing to be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentos.home import home, unlocking

HARDENED = """
import ctypes, os, resource
from agentos.home.process import harden
harden()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0
print("hardened", flush=True)
os.abort()
"""


def kernel(*arguments: str, secret: str | None = None, **environment: str) -> tuple[int, dict[str, Any]]:
    """Run it to its end; the exit status and what it said."""
    module = "agentos.kernel" if arguments[0] == "serve" else "agentos.home"
    fds: tuple[int, ...] = ()
    if secret is not None:
        out, into = os.pipe()
        os.write(into, secret.encode())
        os.close(into)
        fds = (out,)
        arguments = (*arguments, "--secret-fd", str(out))
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], capture_output=True, text=True, pass_fds=fds,
            timeout=60, env={**os.environ, **environment}, check=False,
        )  # fmt: skip
    finally:
        for fd in fds:
            os.close(fd)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.returncode, json.loads(done.stdout)


def test_a_home_is_made_and_found_from_outside(tmp_path: Path) -> None:
    path = str(tmp_path / "h")
    assert kernel("where", "--home", path)[1]["exists"] is False
    status, made = kernel("init", "--home", path, "--wrap", "passphrase", secret="open sesame\n")
    assert status == 0
    assert (made["home"], made["wrap"]) == (path, "passphrase")
    assert len(made["recovery"]) == 69
    found = kernel("where", "--home", path)[1]
    assert (found["exists"], found["locks"], found["pid"]) == (True, ["passphrase", "recovery"], None)
    with_secret = home.unlock(Path(path), "open sesame")
    with_secret.close()
    [slot] = [each for each in unlocking.read(Path(path)).slots if each.kind == "passphrase"]
    assert (slot.ops, slot.memory) == (3, 128 << 20), "what each guess costs"


def test_the_passphrase_may_come_from_the_environment(tmp_path: Path) -> None:
    path = str(tmp_path / "h")
    assert kernel("init", "--home", path, "--wrap", "passphrase", AGENTOS_PASSPHRASE="abc")[0] == 0
    status, said = kernel("serve", "--home", path, AGENTOS_PASSPHRASE="abd")
    assert status == 5
    assert said["error"]["code"] == "wrong_passphrase"


@pytest.mark.parametrize("secret", [None, ""])
def test_a_passphrase_that_is_not_given_is_asked_for(tmp_path: Path, secret: str | None) -> None:
    path = str(tmp_path / "h")
    kernel("init", "--home", path, "--wrap", "passphrase", secret="abc")
    status, said = kernel("serve", "--home", path, secret=secret)
    assert (status, said["error"]["code"]) == (5, "passphrase_needed")


def test_a_machine_without_a_keyring_says_what_to_do(tmp_path: Path) -> None:
    status, said = kernel(
        "init", "--home", str(tmp_path / "h"), "--wrap", "keyring",
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
    )  # fmt: skip
    assert (status, said["error"]["code"]) == (5, "no_keyring")
    assert "--key-file" in said["error"]["hint"]


def test_a_lost_key_file_is_answered_with_what_opens_the_home_instead(tmp_path: Path) -> None:
    path, key = str(tmp_path / "h"), tmp_path / "key"
    made = kernel("init", "--home", path, "--wrap", "key-file", "--key-file", str(key))[1]
    key.unlink()
    status, said = kernel("serve", "--home", path, AGENTOS_PASSPHRASE=made["recovery"][1:])
    assert (status, said["error"]["code"]) == (5, "no_key_file")
    assert "AGENTOS_PASSPHRASE" in said["error"]["hint"]
    home.unlock(Path(path), made["recovery"]).close()


def test_a_home_that_is_served_already_is_refused_with_the_pid(tmp_path: Path) -> None:
    path = tmp_path / "h"
    home.initialise(path, "key-file", key_file=tmp_path / "key")
    held = home.unlock(path)
    try:
        status, said = kernel("serve", "--home", str(path))
        assert (status, said["error"]["code"]) == (5, "locked_by_other")
        assert str(os.getpid()) in said["error"]["reason"]
    finally:
        held.close()


def test_a_secret_that_is_not_text_is_refused(tmp_path: Path) -> None:
    out, into = os.pipe()
    os.write(into, b"\xff\xfe")
    os.close(into)
    done = subprocess.run(
        [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(tmp_path), "--secret-fd", str(out)],
        capture_output=True, pass_fds=(out,), timeout=60, check=False,
    )  # fmt: skip
    os.close(out)
    assert json.loads(done.stdout)["error"]["code"] == "invalid"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_servers_have_modest_stacks_whatever_the_persons_limit_is(tmp_path: Path) -> None:
    code = (
        "import resource as r\n"
        "from agentos.home.process import modest_stacks\n"
        "hard = r.getrlimit(r.RLIMIT_STACK)[1]\n"
        "for soft in (64 << 20, 1 << 20):\n"
        "    r.setrlimit(r.RLIMIT_STACK, (soft, hard))\n"
        "    modest_stacks()\n"
        "    print(r.getrlimit(r.RLIMIT_STACK)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == [str(8 << 20), str(1 << 20)]


def test_a_hardened_process_leaves_no_core_and_lets_nobody_look_in(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HARDENED], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout
        assert process.stdout.read() == b"hardened\n"
        _, status, _ = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert os.WIFSIGNALED(status)
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []


def test_the_kernels_first_answer_imports_nothing_heavy() -> None:
    asked = "import sys, agentos.home.__main__, agentos.kernel.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"grpc", "google.protobuf", "wasmtime", "keyring", "platformdirs", "uvloop", "asyncio"}
