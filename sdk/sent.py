"""Events as a program knows them: `event.send("report.ready", {"pages": 3})`, `event.wait_for("report.ready")`."""

from __future__ import annotations

import json
from typing import Any

from agentos.sdk import wire
from agentos.sdk.errors import Invalid

MOST_S = 366 * 86_400


def send(name: str, data: Any = None) -> str:
    """Send an event to every armed program that starts with event.NAME, and to every run that waits for it; its id.

    name: small letters, digits, _ and dots: report.ready. A line of the manifest has to allow it:
        "event.send" = { name = ["report.ready"] }
    data: what JSON can say, at most 1 MiB of it: they get it as input["data"].

    It is on disk when this returns, and is sent once, whatever is cut off when. Raises LimitExceeded for too many, and
    where too many events in a row have led to this one.
    """
    text = "" if data is None else _json(data, "the data of an event")
    id: str = wire.call("event.send", {"name": name} | ({"data": text} if text else {}))["id"]
    return id


def wait_for(name: str, where: dict[str, Any] | None = None, timeout: float | None = None) -> dict[str, Any] | None:
    """Wait until an event of this name is there for this run: what it says, or None if the time is over first.

    name: as it was sent: report.ready. A line of the manifest has to allow it:
        "event.wait_for" = { name = ["report.ready"] }
    where: only an event whose data has these fields, each of just this value: where={"order": 7}.
    timeout: seconds, up to 366 days (as it is without it); 0 looks at what is there already.

    What it returns is what `main(input)` gets of an event: {"event": "event.report.ready", "id": …, "at": …, "data": …}
    A run hears what is sent from when it began, if its manifest lists the name, and gets each event once. It may wait
    for days: meanwhile it is not in memory.
    """
    args: dict[str, Any] = {"name": name}
    if where:
        args["where"] = _json(where, "what an event must have")
    if timeout is not None:
        if not 0 <= timeout <= MOST_S:
            raise Invalid(f"an event is waited for from 0 to {MOST_S} seconds", "leave timeout out: 366 days")
        args["timeout_ms"] = max(round(timeout * 1000), 1)
    came = wire.call("event.wait_for", args)
    if not came.get("came"):
        return None
    data = json.loads(came.get("data") or "null")
    return {"event": f"event.{name}", "id": came["id"], "at": int(came["at_ms"]), "data": data}


def _json(value: Any, what: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"{what} must be JSON: {error}", "numbers, text, lists and dicts") from None
