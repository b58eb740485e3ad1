"""A child as a program has it: `child = children.spawn("sum.py", {"n": 3}, grants={…})`, then `child.join()`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentos.sdk import wire
from agentos.sdk.errors import Denied, Invalid, LimitExceeded, Unavailable

ENDS = {"refused": Denied, "limit": LimitExceeded, "failed": Invalid, "cancelled": Unavailable}


@dataclass(frozen=True, slots=True)
class Child:
    """A run that this run started. `run` is its id: agentos show RUN."""

    run: str

    def join(self) -> Any:
        """Wait until it is over, and return its result. Raises what fits its end: Denied, LimitExceeded, …"""
        reply = wire.call("children.join", {"run": self.run})
        status = reply.get("status", "")
        if status != "done":
            said = f"{self.run} ended as {status}: {reply.get('reason', '')}"
            raise ENDS.get(status, Invalid)(said, reply.get("hint", ""), f"child_{status}")
        return json.loads(reply["result"]) if reply.get("result") else None

    def cancel(self) -> None:
        """End it, with all that it started itself. One that is over stays as it is."""
        wire.call("children.cancel", {"run": self.run})


def spawn(program: str | os.PathLike[str], input: Any = None, grants: Mapping[str, Any] | None = None) -> Child:
    """Start a program that the person allowed before, as a child of this run.

    program: its path, relative to the folder this run was started from, or the digest of one version.
    input: what its `main(input)` gets: what JSON can say.
    grants: what it may do, as a manifest has it: {"files.read": {"path": ["notes/**"]}}. No more than this run may
        itself, and nothing where it is left out. What it uses counts as used by this run.

    A child that is not over when this run ends is cancelled.
    """
    try:
        given = "" if input is None else json.dumps(input, allow_nan=False)
        lent = "" if grants is None else json.dumps(grants, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"what a child gets must be JSON: {error}", "numbers, text, lists and dicts") from None
    args = {"program": os.fspath(program), "input": given, "grants": lent}
    return Child(wire.call("children.spawn", {name: value for name, value in args.items() if value})["run"])
