"""Grants, folded anew: what the records say of each, to be compared with what a snapshot says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OF_ONE_RUN = (3, 4)  # terms that end with the run: once, this run


@dataclass
class Standing:
    """What is known of one grant."""

    run: str
    choice: int
    parent: str = ""
    uses: int = 0
    revoked: bool = False
    ended: bool = False

    @property
    def said(self) -> tuple[int, bool, bool]:
        return self.uses, self.revoked, self.ended


@dataclass
class Authority:
    """All grants, and the denials that hold."""

    grants: dict[str, Standing] = field(default_factory=dict)
    denials: set[str] = field(default_factory=set)
    _of_run: dict[str, list[str]] = field(default_factory=dict)
    _under_way: dict[tuple[str, int], str] = field(default_factory=dict)

    def fold(self, kind: str, record: dict[str, Any]) -> None:
        """One more record. Raises KeyError where it speaks of a grant that there is none of."""
        if step := STEPS.get(kind):
            step(self, record)

    def granted(self, record: dict[str, Any]) -> None:
        standing = Standing(record["run"], record["terms"]["choice"], record["parent"])
        self.grants[record["id"]] = standing
        if standing.choice in OF_ONE_RUN:
            self._of_run.setdefault(standing.run, []).append(record["id"])

    def denied(self, record: dict[str, Any]) -> None:
        self.denials.add(record["id"])

    def revoked(self, record: dict[str, Any]) -> None:
        self.denials -= set(record["ids"])
        for each in self.grants.keys() & set(record["ids"]):
            self.grants[each].revoked = True

    def called(self, record: dict[str, Any]) -> None:
        if record["grant"]:
            self._used(record["grant"], 1)
            self._under_way[record["run"], record["seq"]] = record["grant"]

    def replied(self, record: dict[str, Any]) -> None:
        used = self._under_way.pop((record["run"], record["seq"]), "")
        if used and record["released"]:
            self._used(used, -1)

    def _used(self, grant: str, sign: int) -> None:
        """What is used of a grant is used of all that it was derived from."""
        self.grants[grant].uses += sign
        while grant := self.grants[grant].parent:
            if grant not in self.grants:
                return
            self.grants[grant].uses += sign

    def over(self, record: dict[str, Any]) -> None:
        """A run has ended: nothing is given back for it any more, and what was lent to it is no more."""
        self._under_way = {key: grant for key, grant in self._under_way.items() if key[0] != record["run"]}
        for each in self._of_run.pop(record["run"], ()):
            self.grants[each].ended = True
            if self.grants[each].parent:
                del self.grants[each]
        for each, uses, _ in record.get("uses", ()):
            self.grants[each].uses = uses

    def differs(self, table: dict[str, Any]) -> str:
        """In what a snapshot's table says something else; nothing where it says the same."""
        held = {name: (each["uses"], each["revoked"], each["ended"]) for name, each in table["held"].items()}
        ours = {name: each.said for name, each in self.grants.items()}
        for name in sorted(held.keys() | ours.keys()):
            if held.get(name) != ours.get(name):
                return f"{name} is {held.get(name)} in it, and {ours.get(name)} by the records (uses, revoked, ended)"
        if set(table["denials"]) != self.denials:
            return "it has other denials than the records"
        return ""


STEPS = {
    "grant": Authority.granted, "denial": Authority.denied, "revoked": Authority.revoked, "call": Authority.called,
    "reply": Authority.replied, "run.ended": Authority.over, "forgotten": Authority.over,
}  # fmt: skip
