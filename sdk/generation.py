"""A program that goes on for ever: it ends one generation and begins the next with what is to be remembered."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from agentos.sdk import wire
from agentos.sdk.errors import Invalid


def continue_with(state: Any) -> NoReturn:
    """End here, and begin anew from the program's beginning: its `main(input, state)` gets this state.

    state: what JSON can say, at most 256 KiB of it.

    The run stays the same, with its grants and what it has used of them. Nothing after this call is executed.
    """
    try:
        text = json.dumps(state, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"the state is not JSON: {error}", "numbers, text, lists and dicts") from None
    wire.call("run.continue_with", {"state": text})
    raise SystemExit
