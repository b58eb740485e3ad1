"""`python -m tests.mutation.forks`, in a copy of the tree: runs tests of it, each time in a fork that is fresh.

A mutant takes longer to start than to be tested: pytest and the libraries under our packages are imported once, here,
and nothing of ours is. Each fork then imports our packages anew, and the mutant with them. It reads lines of JSON,
`{"tests": [...], "each_s": 15, "within_s": 30}`, how long one test may take and all of them, and answers each with a
line, `{"status": 1, "failed": "…"}`. Status 0 is that all passed, 1 that a test failed, 2 and above that they could not
be run, -1 that they took too long.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

# Whatever these tests and what they test import, and is not ours.
PRELOADED = (
    "pytest", "hypothesis.strategies", "hypothesis.internal.conjecture.engine", "google.protobuf.json_format",
    "google.protobuf.descriptor_pool", "msgspec", "grpc.aio", "apsw", "nacl.secret", "nacl.pwhash", "tomllib",
)  # fmt: skip
# The plugins of pytest that the tests need. It would import and rewrite all that are installed, in each fork anew.
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")


def main() -> None:
    for name in PRELOADED + PLUGINS:
        __import__(name)
    loaded = [name for name in sys.modules if name.split(".")[0] == "agentos"]
    assert not loaded, f"a fork would have these as they were: {loaded}"
    sys.dont_write_bytecode = "--fresh" not in sys.argv
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # for else the tests' conftest.py has it written
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(forked(**asked)), flush=True)


def forked(tests: list[str], each_s: float, within_s: float) -> dict[str, object]:
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os._exit(_tested(tests, each_s, said.fileno()))
        status = _waited(child, within_s)
        said.seek(0)
        text = said.read().decode(errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", text, re.MULTILINE)
    return {"status": status, "failed": failed[1] if failed else "", "text": text[-3000:]}


def _tested(tests: list[str], each_s: float, out: int) -> int:
    try:
        os.setsid()
        for each in (1, 2):
            os.dup2(out, each)
        import pytest

        options = (
            "-q",
            "-x",
            "-rfE",
            "-p",
            "no:cacheprovider",
            *(f"-p{plugin}" for plugin in PLUGINS),
            f"--timeout={each_s}",
            "--hypothesis-profile=mutants",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        )
        return int(pytest.main([*options, *(f"tests/{test}" for test in tests)]))
    except BaseException as problem:  # noqa: BLE001  # a fork must not go on as its parent would
        print(problem)
        return 3


def _waited(child: int, within_s: float) -> int:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()
