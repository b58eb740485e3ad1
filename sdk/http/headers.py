"""Headers: by name whatever its case, in order, a name more than once where it came more than once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from agentos.sdk.errors import Invalid

Given = Mapping[str, str | bytes | None] | Iterable[tuple[str, str | bytes | None]]


class Headers(MutableMapping[str, str]):
    """`headers["content-type"]`; several of one name read as one, joined by commas, or one by one with `all`."""

    def __init__(self, given: Given = ()) -> None:
        self._pairs: list[tuple[str, str]] = []
        for name, value in _pairs(given):
            if value is not None:
                self.add(name, value)

    @classmethod
    def from_wire(cls, headers: Iterable[Mapping[str, Any]]) -> Headers:
        """As a reply carries them."""
        return cls([(each.get("name", ""), each.get("value", "")) for each in headers])

    def to_wire(self) -> list[dict[str, str]]:
        """As a request carries them."""
        return [{"name": name, "value": value} for name, value in self._pairs]

    def add(self, name: str, value: str | bytes) -> None:
        """One more of this name."""
        self._pairs.append((name, _value(name, value)))

    def all(self, name: str) -> list[str]:
        """Each value of this name, in order: for Set-Cookie, whose values have commas in them."""
        return [value for one, value in self._pairs if one.lower() == name.lower()]

    def put(self, given: Given) -> None:
        """Take these over; None takes one out."""
        for name, value in _pairs(given):
            if value is None:
                self.pop(name, None)
            else:
                self[name] = _value(name, value)

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __setitem__(self, name: str, value: str) -> None:
        self.pop(name, None)
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        kept = [pair for pair in self._pairs if pair[0].lower() != name.lower()]
        if len(kept) == len(self._pairs):
            raise KeyError(name)
        self._pairs = kept

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): name for name, _ in self._pairs}.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"


def _pairs(given: Any) -> Iterable[tuple[str, str | bytes | None]]:
    return given.items() if isinstance(given, Mapping) else given


def _value(name: str, value: str | bytes) -> str:
    """A value as the wire has it: each character one byte of the header."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise Invalid(f"the header {name} is {value!r}, and a header is text", "write str(…)")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise Invalid(
            f"the header {name} has characters beyond Latin-1", "encode it first, as value.encode()"
        ) from None
    return value
