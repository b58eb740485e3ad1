"""An event as a program sends it: `event.send("report.ready", {"pages": 3})`."""

from __future__ import annotations

import json
from typing import Any

from agentos.sdk import wire
from agentos.sdk.errors import Invalid


def send(name: str, data: Any = None) -> str:
    """Send an event to every armed program that waits for event.NAME; its id.

    name: small letters, digits, _ and dots: report.ready. A line of the manifest has to allow it:
        "event.send" = { name = ["report.ready"] }
    data: what JSON can say, at most 1 MiB of it: they get it as input["data"].

    It is on disk when this returns, and is sent once, whatever is cut off when. Raises LimitExceeded for too many, and
    where too many events in a row have led to this one.
    """
    try:
        text = "" if data is None else json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"the data of an event must be JSON: {error}", "numbers, text, lists and dicts") from None
    id: str = wire.call("event.send", {"name": name} | ({"data": text} if text else {}))["id"]
    return id
