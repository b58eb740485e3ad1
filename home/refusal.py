"""A refusal: what was asked for cannot be, and why."""

from __future__ import annotations

from agentos.home.records import Fault


class Refusal(Exception):
    """What the shell asked for cannot be; `fault` says why and what to do."""

    def __init__(self, code: int, reason: str, hint: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.fault = Fault(code, reason, hint, detail)
