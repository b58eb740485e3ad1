"""Where each argument of a call came from, as far as known: what a person wants to know before a yes.

Found by looking, not by tracking: the value (or the last part of a path) stands in the program's text, in its
input, or in what an earlier call of this run returned. A value that was put together from pieces is said to be.

And where a run has read from outside: after that, whatever it asks for may be what a stranger wrote there.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentos.home.records import CallMade, CallSettled
from agentos.kernel.call import Call, source
from agentos.manifest.rules import Catalog

SHORT = 3


def origins(call: Call, name: str, source: str, given: str, replies: Iterable[tuple[int, str, str]]) -> list[str]:
    """One sentence for each target that the request names: what its capability found out comes from there.

    `given` is the run's input, `replies` are (seq, action, JSON), oldest first.
    """
    seen, asked = list(replies), call.request.DESCRIPTOR.fields_by_name
    named = [(field, value) for field, value in call.targets if field in asked]
    return [f"{field} {_origin(value, name, source, given, seen)}" for field, value in named]


def _origin(value: str, name: str, source: str, given: str, replies: list[tuple[int, str, str]]) -> str:
    for piece in (value, value.rsplit("/", 1)[-1]):
        if len(piece) <= SHORT:
            continue
        for number, text in enumerate(source.splitlines(), 1):
            if piece in text:
                return f"written in {name}:{number}"
        if piece in given:
            return "from the run's input"
        for seq, action, reply in replies:
            if piece in reply:
                return f"from the reply of call {seq} ({action})"
    return "put together by the program"


def outside(calls: Iterable[tuple[CallMade, CallSettled | None]], catalog: Catalog) -> list[str]:
    """Where the calls of a run brought something in from, oldest first, each once."""
    found: dict[str, None] = {}
    for made, settled in calls:
        if settled and settled.foreign:
            rule = catalog.actions.get(made.action)
            found[source(rule, made.targets) if rule else made.action] = None
    return places(found, catalog)


def places(sources: Iterable[str], catalog: Catalog) -> list[str]:
    """Sources as a person is told of them: hosts, what began the run, and actions only where no host was named."""
    found = list(sources)
    events = {f"{name}.{event}" for name, rule in catalog.capabilities.items() for event in rule.events}
    named = [name for name in found if name not in catalog.actions]
    return named if set(named) - events else found
