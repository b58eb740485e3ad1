"""Which secrets go along with a request, and as which headers. Pure: the parts of a URL in, headers out.

A secret goes along only to a place that the person named for it: the same scheme (https, or http to this very machine),
host, port and path. Everywhere else it stays behind without a word, so that a redirect, which is a call of its own,
drops it. What cannot be decided is refused: two secrets for one header, a header that the program sets itself, and a
range, with which a program could take an answer letter by letter, each too short to be recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentos.capabilities.failure import Invalid
from agentos.v1 import secrets
from agentos.v1.capability_pb2 import Secret
from agentos.v1.names import BadName

Headers = Sequence[tuple[str, str]]
RANGES = ("range", "if-range")


class Destination(NamedTuple):
    """The parts of the URL that is asked for, each canonical; the path with its query."""

    scheme: str
    host: str
    port: str
    path: str


def injected(named: Iterable[Secret], to: Destination, given: Headers) -> list[tuple[str, str]]:
    """The headers that the person's secrets add to those that the program gave. Raises Invalid."""
    going = [secret for secret in named if goes(secret, to)]
    theirs = {name.lower() for name, _ in given}
    if going and theirs.intersection(RANGES):
        raise Invalid("a range cannot be asked for where a secret goes along", "ask for the whole, and read on in it")
    added: dict[str, tuple[str, str]] = {}
    for secret in going:
        name = secret.header.lower()
        if name in added:
            raise Invalid(f"two secrets go there as the header {secret.header}", "name one of them in the manifest")
        if name in theirs:
            hint = f"leave {secret.header} out: the secret {secret.name} goes along by itself"
            raise Invalid(f"the header {secret.header} is the secret's, not the program's", hint)
        added[name] = (secret.header, secrets.filled(secret.form, secret.value))
    return list(added.values())


def goes(secret: Secret, to: Destination) -> bool:
    """Whether a secret goes along to this place."""
    try:
        return any(secrets.place(place).covers(*to) for place in secret.places)
    except BadName:  # the kernel sends none such
        return False
