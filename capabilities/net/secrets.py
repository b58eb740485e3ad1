"""The secrets of one call: which go along with its request, and what is done with all that comes back. Pure.

    lent = Lent(context.secrets)
    headers = [*given, *lent.added(destination, given)]     raises Invalid
    lent.text(header), lent.stream().feed(piece)            what came back, with marks

A secret goes along only to a place that the person named for it: the same scheme (https, or http to this very machine),
host, port and path. Everywhere else it stays behind without a word, so that a redirect, which is a call of its own,
drops it. What cannot be decided is refused: two secrets for one header, a header that the program sets itself, and a
range, with which a program could take an answer letter by letter, each too short to be recognised.

All that comes back is searched, wherever it comes from: a secret that one place was given can be told by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentos.capabilities.failure import Invalid
from agentos.capabilities.net.scrub import Needles, Stream
from agentos.v1 import secrets
from agentos.v1.capability_pb2 import Secret
from agentos.v1.names import BadName
from agentos.v1.net_pb2 import NetHeader

Headers = Sequence[tuple[str, str]]
RANGES = ("range", "if-range")


class Destination(NamedTuple):
    """The parts of the URL that is asked for, each canonical; the path with its query."""

    scheme: str
    host: str
    port: str
    path: str


class Lent:
    """The secrets that the grant of a call names."""

    def __init__(self, named: Sequence[Secret]) -> None:
        self._named = named
        self._needles = Needles(named)

    @property
    def any(self) -> bool:
        return bool(self._named)

    def joined(self, to: Destination, given: Sequence[NetHeader]) -> list[NetHeader]:
        """The headers that the program gave and those that the secrets add. Raises Invalid."""
        written = [(each.name, each.value) for each in given]
        return [*given, *(NetHeader(name=name, value=text) for name, text in self.added(to, written))]

    def added(self, to: Destination, given: Headers) -> list[tuple[str, str]]:
        """The headers that they add to those that the program gave. Raises Invalid."""
        going = [secret for secret in self._named if goes(secret, to)]
        theirs = {name.lower() for name, _ in given}
        if going and theirs.intersection(RANGES):
            raise Invalid(
                "a range cannot be asked for where a secret goes along", "ask for the whole, and read on in it"
            )
        found: dict[str, tuple[str, str]] = {}
        for secret in going:
            name = secret.header.lower()
            if name in found:
                raise Invalid(f"two secrets go there as the header {secret.header}", "name one of them in the manifest")
            if name in theirs:
                hint = f"leave {secret.header} out: the secret {secret.name} goes along by itself"
                raise Invalid(f"the header {secret.header} is the secret's, not the program's", hint)
            found[name] = (secret.header, secrets.filled(secret.form, secret.value))
        return list(found.values())

    def text(self, text: str) -> str:
        """A header that came back, or a line of our own log, with marks."""
        return self._needles.text(text)

    def stream(self) -> Stream:
        """For the body that comes back, unpacked."""
        return Stream(self._needles)


def goes(secret: Secret, to: Destination) -> bool:
    """Whether a secret goes along to this place."""
    try:
        return any(secrets.place(place).covers(*to) for place in secret.places)
    except BadName:  # the kernel sends none such
        return False
