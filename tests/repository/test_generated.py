"""What is generated is fresh, and the protos are well-formed and break nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.source import ROOT

BUF = str(Path(sys.executable).parent / "buf")
CHECKS = {
    "the code of the protos is fresh": [sys.executable, "proto/generate.py", "--check"],
    "the SDK is fresh": [sys.executable, "-m", "agentos.sdk.generate", "--check"],
    "the protos keep the rules": [BUF, "lint"],
    "the protos are formatted": [BUF, "format", "--diff", "--exit-code"],
    "the protos break nobody": [BUF, "breaking", "--against", "proto/baseline.binpb"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_that(check: str) -> None:
    done = subprocess.run(CHECKS[check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_change_that_breaks_programs_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "proto/agentos/v1").mkdir(parents=True)
    (tmp_path / "buf.yaml").write_bytes((ROOT / "buf.yaml").read_bytes())
    for proto in (ROOT / "proto/agentos/v1").glob("*.proto"):
        text = proto.read_text(encoding="utf-8").replace("bool as_text = 5;", "bool as_words = 5;")
        (tmp_path / "proto/agentos/v1" / proto.name).write_text(text, encoding="utf-8")
    command = [BUF, "breaking", "--against", str(ROOT / "proto/baseline.binpb")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "as_text" in done.stdout
    assert done.returncode
