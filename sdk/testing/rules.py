"""May this call be made? The kernel's answer in small, from the same annotations and the same matchers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from agentos.sdk.errors import Denied, Invalid, LimitExceeded, NeedsApproval
from agentos.sdk.generate.read import snake
from agentos.v1 import annotations_pb2 as proto
from agentos.v1 import matchers
from agentos.v1.names import BadName
from agentos.v1.patterns import canonical_pattern

COUNTED = (proto.MATCHER_MAXIMUM, proto.MATCHER_BUDGET)
CARRIED = matchers.CARRIED


class Grant:
    """What the person allowed: an action and its bounds, as in a manifest: `Grant("files.read", path=["notes/**"])`."""

    def __init__(self, action: str, **bounds: str | int | Sequence[str]) -> None:
        self.action = action
        self.bounds: dict[str, tuple[str, ...]] = {}
        for name, given in bounds.items():
            self.bounds[name] = (str(given),) if isinstance(given, str | int) else tuple(given)
        self.used: dict[str, int] = {}
        # Of a child's: the one of its parent that it was taken from.
        self.above: Grant | None = None


@dataclass(frozen=True)
class Named:
    """One bounded value of a call, in canonical form; of a bound that is carried, nothing."""

    bound: str
    value: str
    rule: proto.Field

    @property
    def matcher(self) -> int:
        return self.rule.matcher

    def within(self, patterns: Iterable[str]) -> bool:
        """Whether one of the patterns covers it; what is counted is looked at when it is spent."""
        if self.matcher in (*COUNTED, *CARRIED):
            return True
        return any(
            matchers.matches(self.matcher, pattern, self.value)
            or (self.rule.leads and matchers.leads(pattern, self.value))
            for pattern in patterns
        )


@dataclass(frozen=True)
class Asked:
    """A call as it is decided on: the typed request, and what it is about in canonical form."""

    action: str
    request: Message
    named: list[Named] = field(default_factory=list)

    def paths(self) -> Iterator[str]:
        return (each.value for each in self.named if each.matcher == matchers.PATH)


class Rules:
    """The actions of some protos, and the grants a program has."""

    def __init__(self, files: Iterable[FileDescriptor], grants: Sequence[Grant], asks: Sequence[Grant]) -> None:
        self.grants, self.asks = grants, asks
        self.program, self.file = "the program", "its manifest"
        # Of a child: what its own manifest asks, if it has one; its grants are what its parent gave it.
        self.lent = False
        self.ceiling: Sequence[Grant] | None = None
        self.methods: dict[str, MethodDescriptor] = {}
        for file in files:
            for service in file.services_by_name.values():
                for method in service.methods:
                    self.methods[f"{snake(service.name.removesuffix('Service'))}.{snake(method.name)}"] = method

    def read(self, action: str, args: Mapping[str, Any], start: str, home: str) -> Asked:
        """The call these arguments make. Invalid if they make none."""
        if action not in self.methods:
            raise Invalid(f"there is no action {action}", f"there are {', '.join(self.methods)}")
        request = message_factory.GetMessageClass(self.methods[action].input_type)()
        try:
            json_format.ParseDict(dict(args), request)
        except json_format.ParseError as problem:
            raise Invalid(f"the arguments do not fit {action}: {problem}") from None
        asked = Asked(action, request)
        for one in request.DESCRIPTOR.fields:
            rule = one.GetOptions().Extensions[proto.field]
            if rule.matcher:
                values = _made_canonical(request, action, one.name, rule, start, home)
                asked.named.extend(Named(rule.bound or one.name, value, rule) for value in values)
        return asked

    def admit(self, asked: Asked, start: str, home: str) -> Mapping[str, tuple[str, ...]]:
        """The canonical bounds it runs under. Raises what the kernel would raise."""
        option = self.methods[asked.action].GetOptions().Extensions[proto.action]
        if option.inherent:
            return {}
        place = self.methods[asked.action].containing_service.GetOptions().Extensions[proto.capability]
        if _touches(asked, place.never):
            raise Denied("this place is not reachable under any grant")
        if self.ceiling is not None and not self._among(self.ceiling, asked, start, home):
            raise self._outside(asked)
        for grant in self.grants:
            bounds = self._covering(grant, asked, start, home)
            if bounds is not None:
                if option.effect != proto.EFFECT_OBSERVE and _touches(asked, place.govern):
                    if self.lent:
                        break
                    raise NeedsApproval("GOVERN: asked each time, and nobody is there to ask")
                _spend(grant, asked)
                return bounds
        if self._among(self.asks, asked, start, home):
            raise NeedsApproval("not granted yet, and nobody is there to ask", "run it where the person can answer")
        if self.lent:
            hint = f'its parent can give of its own: children.spawn(…, grants={{"{asked.action}": …}})'
            raise Denied("its parent did not give it that", hint)
        raise self._outside(asked)

    def _outside(self, asked: Asked) -> Denied:
        hint = f"add {_line(asked)} to {self.file}, only if you trust this program"
        return Denied(f"outside what {self.program} may ever ask", hint)

    def _among(self, grants: Sequence[Grant], asked: Asked, start: str, home: str) -> bool:
        return any(self._covering(grant, asked, start, home) is not None for grant in grants)

    def allows(self, grant: Grant, action: str) -> bool:
        """Whether a grant is for this action, whatever its bounds."""
        return action == grant.action or action in self._implied(grant.action)

    def fields(self, action: str) -> dict[str, proto.Field]:
        """The bounds that an action has, and how each is compared."""
        found = {}
        for one in self.methods[action].input_type.fields:
            rule = one.GetOptions().Extensions[proto.field]
            if rule.matcher:
                found[rule.bound or one.name] = rule
        return found

    def of_child(self, grants: Sequence[Grant], ceiling: Sequence[Grant] | None, program: str, file: str) -> Rules:
        """The same actions, for a child that was given these grants."""
        made = Rules((), grants, ())
        made.methods, made.lent, made.ceiling, made.program, made.file = self.methods, True, ceiling, program, file
        return made

    def _covering(self, grant: Grant, asked: Asked, start: str, home: str) -> dict[str, tuple[str, ...]] | None:
        """The grant's bounds in canonical form if it covers the call, whatever is used up of it."""
        if not self.allows(grant, asked.action):
            return None
        bounds: dict[str, tuple[str, ...]] = {}
        for each in asked.named:
            given = grant.bounds.get(each.bound, tuple(each.rule.default))
            bounds[each.bound] = tuple(canonical_pattern(each.matcher, one, start, home) for one in given)
            if not each.within(bounds[each.bound]):
                return None
        return bounds

    def _implied(self, action: str) -> Sequence[str]:
        if action not in self.methods:
            raise ValueError(f"a grant for {action}, and there is no such action")
        return self.methods[action].GetOptions().Extensions[proto.action].implies


def _made_canonical(request: Message, action: str, name: str, rule: proto.Field, start: str, home: str) -> list[str]:
    """Put the field's values into canonical form; for a counted field, how much it is."""
    held = getattr(request, name)
    if rule.matcher in COUNTED:
        return [str(held if isinstance(held, int) else len(held.encode() if isinstance(held, str) else held))]
    if rule.matcher in CARRIED:
        if held:
            raise Invalid(f"{action}: {name} is for the manifest to say, not for a call")
        return [""]
    written = [held or _usual(rule)] if isinstance(held, str) else list(held)
    if not written or "" in written:
        raise Invalid(f"{action} needs a {name}")
    try:
        values = [matchers.canonical_value(rule.matcher, one, start, home) for one in written]
    except BadName as problem:
        raise Invalid(f"{action}: {name}: {problem}", detail="bad_name") from None
    if rule.among and not set(values) <= set(rule.among):
        raise Invalid(f"{action}: {name} is one of {', '.join(rule.among)}")
    if isinstance(held, str):
        setattr(request, name, values[0])
    else:
        held[:] = values
    return values


def _usual(rule: proto.Field) -> str:
    """What a call means that leaves the field empty; itself empty where it may not."""
    if rule.matcher == matchers.URL_PATH:
        return "/"
    known = rule.default and rule.matcher in (matchers.EXACT, matchers.PORT)
    return rule.default[0] if known else ""


def _touches(asked: Asked, patterns: Iterable[str]) -> bool:
    places = [canonical_pattern(matchers.PATH, pattern, "/", "/") for pattern in patterns]
    return any(matchers.reaches(place, path) for place in places for path in asked.paths())


def _spend(grant: Grant, asked: Asked) -> None:
    """Count the call on the grant and on each it was taken from, or on none of them."""
    counted = [each for each in asked.named if each.matcher in COUNTED]
    held: list[Grant] = []
    while True:
        held.append(grant)
        if grant.above is None:
            break
        grant = grant.above
    for each in counted:
        for one in held:
            most = [int(canonical_pattern(each.matcher, text, "/", "/")) for text in one.bounds.get(each.bound, ())]
            used = one.used.get(each.bound, 0) if each.matcher == proto.MATCHER_BUDGET else 0
            if most and used + int(each.value) > min(most):
                raise LimitExceeded(f"{each.bound} of {one.action} is used up", "raise it in the manifest", "quota")
    for each in counted:
        for one in held:
            one.used[each.bound] = one.used.get(each.bound, 0) + int(each.value)


def _line(asked: Asked) -> str:
    """The manifest line that would allow the call: what it says by itself is left out."""
    said = [
        f'{each.bound} = ["{matchers.literal(each.matcher, each.value)}"]'
        for each in asked.named
        if each.matcher not in (*COUNTED, *CARRIED) and not (each.rule.default and each.within(each.rule.default))
    ]
    return f'"{asked.action}" = {{ {", ".join(said)} }}'
