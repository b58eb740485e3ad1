"""What starts a program, as a noun. Read from a manifest by `triggers`, and kept in the journal as JSON."""

from __future__ import annotations

import msgspec


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What starts a program: one entry of `on`. Which fields count is said by the event; see docs/events.md.

    The value of a filter is JSON. `parallel` and `latest` are the program's, the same in each of its entries.
    """

    event: str
    at: str = ""
    tz: str = ""
    every_ms: int = 0
    filters: tuple[tuple[str, str], ...] = ()
    debounce_ms: int = 0
    parallel: int = 1
    latest: bool = False
    catch_up: str = "last"
    retries: int = 2
    where: str = ""
    # So many events at most go to one run; the first of them waits so long for others. 0: each has a run of its own.
    batch: int = 0
    batch_ms: int = 0
    # Of a hook. The secret is made when it is armed, and stands in no manifest.
    headers: tuple[str, ...] = ()
    id_header: str = ""
    secret: str = ""
    # Of files.changed: canonical patterns, and how long a file has to be quiet.
    paths: tuple[str, ...] = ()
    quiet_ms: int = 0

    @property
    def text(self) -> str:
        """The entry as JSON."""
        return msgspec.json.encode(self).decode()

    @property
    def is_timer(self) -> bool:
        return self.event.startswith("timer.")

    @property
    def is_watched(self) -> bool:
        """Whether a capability tells of it."""
        return not self.event.startswith(("timer.", "event."))


def trigger(text: str) -> Trigger:
    """The entry of this JSON."""
    return msgspec.json.decode(text, type=Trigger)
