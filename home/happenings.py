"""What the journal holds of events: which programs were armed, what happened, and which run got it.

How a delivery ended is the end of its run, `RunEnded`: there is no second record of it that could say otherwise.
"""

from __future__ import annotations

import msgspec


class Armed(msgspec.Struct, frozen=True, tag="armed"):
    """The person armed a program at one version. Each trigger has an id, and its entry in the manifest as JSON.

    An earlier arming of the same path ends with it. A trigger that is in both keeps its id, and what waits for it.
    """

    path: str
    program: str
    digest: str
    start_folder: str
    home_folder: str
    manifest_path: str
    triggers: tuple[tuple[str, str], ...]
    at_ms: int
    run: str = ""


class Disarmed(msgspec.Struct, frozen=True, tag="disarmed"):
    path: str
    at_ms: int
    run: str = ""


class Switched(msgspec.Struct, frozen=True, tag="switched"):
    """The person turned a trigger on or off, or let a program go on (by its path) that was paused."""

    name: str
    on: bool
    at_ms: int
    run: str = ""


class EventsForgotten(msgspec.Struct, frozen=True, tag="event.forgotten"):
    """What these events said was erased: no run got them that could go with them, and nothing held them."""

    events: tuple[str, ...]
    at_ms: int
    run: str = ""


class Happened(msgspec.Struct, frozen=True, tag="event"):
    """An event was taken in, and is owed to these triggers. `run` is its own id: so it is found in the journal.

    `data` is JSON. `due_ms` is set for a timer: up to then its times are taken in.
    """

    run: str
    name: str
    at_ms: int
    data: str
    to: tuple[str, ...]
    due_ms: int = 0
    # Of one that a run sent: so many runs and events led to it, and where what they had read came from.
    hops: int = 0
    outside: tuple[str, ...] = ()


class Delivered(msgspec.Struct, frozen=True, tag="event.delivered"):
    """A run began with this event, for this trigger; one unit with its RunBegan."""

    run: str
    event: str
    trigger: str


class Listens(msgspec.Struct, frozen=True, tag="run.listens"):
    """From here on this run hears the events of these names: what is sent is kept for it until it takes it."""

    run: str
    names: tuple[str, ...]


class Heard(msgspec.Struct, frozen=True, tag="event.heard"):
    """A call of a run, by its number, got this event; `place` is where in the journal the event stands."""

    run: str
    event: str
    seq: int
    place: int


class Replayed(msgspec.Struct, frozen=True, tag="event.replayed"):
    """The person wants an event delivered again that was given up."""

    event: str
    trigger: str
    at_ms: int
    run: str = ""
