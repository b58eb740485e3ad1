"""Builds the guest into a wheel. An editable install goes without: `make` builds it there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GuestHook(BuildHookInterface):  # type: ignore[type-arg]
    def _missing(self) -> bool:
        return not (Path(self.root) / "guests/python/guest.wasm").exists()

    def dependencies(self) -> list[str]:
        """What an isolated build has to install first."""
        builders: list[str] = self.metadata.core.optional_dependencies["build"]
        return builders if self._missing() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not self._missing():
            return
        if importlib.util.find_spec("componentize_py") is None:
            raise SystemExit(
                "guests/python/guest.wasm is missing, and componentize-py, which builds it, is not installed.\n"
                "Run `make guest` first, or: pip install 'agentos-kernel[build]'"
            )
        environment = {**os.environ, "PYTHONPATH": str(Path(self.root) / "dev")}
        subprocess.run([sys.executable, "guests/python/build.py"], cwd=self.root, env=environment, check=True)
