"""What docs/capability.md says is what lies beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.servers.world import ROOT

SHELF = ROOT / "docs" / "capability"


def test_its_generated_code_is_fresh(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{ROOT / 'proto'}", f"--python_out={tmp_path}",
         f"--pyi_out={tmp_path}", "--include_imports", f"--descriptor_set_out={tmp_path}/shelf.binpb", "shelf.proto"],
        cwd=SHELF, check=True,
    )  # fmt: skip
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (SHELF / file.name).read_bytes(), file.name


def test_what_the_page_quotes_is_in_the_files() -> None:
    def squeezed(text: str) -> str:
        return re.sub(r"\s+|//.*", "", text)

    page = (ROOT / "docs" / "capability.md").read_text()
    for language, file in (("proto", "shelf.proto"), ("python", "shelf.py"), ("toml", "capability.toml")):
        whole = squeezed((SHELF / file).read_text())
        for quoted in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL):
            for part in quoted.strip().split("\n\n"):
                assert squeezed(part) in whole, part
