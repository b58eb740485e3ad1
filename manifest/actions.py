"""What a call may be: actions and the fields of their requests, and of the catalog what decides on a call."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec
from google.protobuf.message import Message

from agentos.v1 import annotations_pb2, matchers


class FieldRule(msgspec.Struct, frozen=True):
    """One annotated field of a request: its matcher, and the manifest's key for it; 0 and "" where it has none.

    `default` is the bound where a manifest leaves it out, `among` all values that there are (none means any).
    """

    field: str
    bound: str
    matcher: int
    leads: bool
    content: bool
    default: tuple[str, ...] = ()
    among: tuple[str, ...] = ()

    @property
    def usual(self) -> str:
        """What a request means that leaves the field empty; itself empty where it may not."""
        if self.matcher == matchers.URL_PATH:
            return "/"
        return self.default[0] if self.default and self.matcher in (matchers.EXACT, matchers.PORT) else ""


class ActionRule(msgspec.Struct, frozen=True):
    """One action. `name` is files.read, `method` is /agentos.v1.FilesService/Read.

    `inherent` is what every program may call, `own` what the kernel serves, `foreign` what returns untrusted data.
    `again` is an annotations_pb2.Again, where `again_field` has one of `again_among`.
    """

    name: str
    capability: str
    effect: int
    implies: tuple[str, ...]
    summary: str
    prepare: bool
    inherent: bool
    fields: tuple[FieldRule, ...]
    method: str
    request: type[Message]
    response: type[Message]
    about: str
    own: bool = False
    foreign: bool = False
    again: int = annotations_pb2.AGAIN_UNSPECIFIED
    again_field: str = ""
    again_among: tuple[str, ...] = ()

    def contents(self) -> list[str]:
        """The fields that carry what the person's data says: they are shown nowhere."""
        return [field.field for field in self.fields if field.content]


class Places(Protocol):
    """The places of a capability that no grant reaches, and those where a change is GOVERN: path patterns."""

    @property
    def never(self) -> tuple[str, ...]: ...

    @property
    def govern(self) -> tuple[str, ...]: ...


class Catalog(Protocol):
    """The catalog, as the path of a call needs it; `expand` gives the action and those that a grant of it covers."""

    @property
    def actions(self) -> Mapping[str, ActionRule]: ...

    @property
    def capabilities(self) -> Mapping[str, Places]: ...

    def expand(self, action: str) -> tuple[str, ...]: ...


def nearest(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a name, in whatever case; empty if nothing is like it."""
    folded = {one.lower(): one for one in known}
    return next((folded[one] for one in difflib.get_close_matches(name[:100].lower(), folded, 1, 0.6)), "")
