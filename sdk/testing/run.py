"""How a run in the kit ended, and the calls it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentos.sdk.errors import AgentError, Denied, NeedsApproval

Status = Literal["done", "failed", "refused", "limit", "cancelled"]


@dataclass(frozen=True)
class Made:
    """One call that was made."""

    action: str
    args: Mapping[str, Any]
    error: AgentError | None
    line: int


@dataclass(frozen=True)
class Run:
    """How a run ended, as `agentos run --json` tells it."""

    status: Status
    result: Any = None
    output: str = ""
    error: BaseException | None = None
    traceback: str = ""
    calls: list[Made] = field(default_factory=list)

    @property
    def refused(self) -> list[Made]:
        return [made for made in self.calls if isinstance(made.error, Denied | NeedsApproval)]
