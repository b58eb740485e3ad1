"""What a call or a line does, in the words of its action's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentos.manifest.actions import ActionRule

_PLACE = re.compile(r"\{(:?)(\w+)\}")


def summary(rule: ActionRule, targets: Iterable[tuple[str, str]]) -> str:
    """The action's summary with its targets filled in; `{:port}` is left out where it is what it usually is.

    In one go: what a program puts into one target must not be filled in by another.
    """
    held = tuple(targets)
    usual = {field.field: ", ".join(sorted(field.default)) for field in rule.fields}

    def filled(place: re.Match[str]) -> str:
        colon, name = place.groups()
        shown = ", ".join(value for key, value in held if key == name)
        return place[0] if not shown else "" if colon and shown == usual.get(name) else colon + shown

    return _PLACE.sub(filled, rule.summary)
