"""The question to the person: what is asked, which keys answer it, and what each answer decides.

Nothing is a yes by itself: Enter alone asks again, the end of input is a no, and so is everything not decided.
What a key mints is what the kernel offered for it, or something narrower that the person typed; the kernel checks
that again. A question that is settled elsewhere closes with a note (`Settled`, raised by whoever watches).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from agentos.shell import sheet, source
from agentos.shell.paint import fitted, folded
from agentos.shell.sheet import Bounds
from agentos.shell.terminal import Terminal, Unanswered
from agentos.shell.text import quoted
from agentos.v1 import capability_pb2
from agentos.v1 import control_pb2 as pb
from agentos.v1.control_pb2 import Choice

KEYS: dict[str, Choice.ValueType] = {
    "o": pb.CHOICE_ONCE,
    "r": pb.CHOICE_RUN,
    "u": pb.CHOICE_UNTIL,
    "v": pb.CHOICE_VERSION,
    "t": pb.CHOICE_TERMINAL,
}
WORDS = {
    "o": "[o]nce",
    "r": "this [r]un",
    "u": "[u]ntil …",
    "v": "while this [v]ersion lives",
    "t": "until this [t]erminal closes",
}
_SPOKEN = {"once": "o", "run": "r", "until": "u", "version": "v", "all": "a", "terminal": "t", "no": "n"}
_SPOKEN |= {"choose": "c", "edit": "e", "help": "?", "y": "", "yes": ""}
_ANSWER = re.compile(r"([a-z?]+)\s*(\d{0,2})")
_SPANS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Settled(Exception):
    """The question was answered elsewhere, or its run ended."""


class Asking:
    """One prompt at one terminal."""

    def __init__(self, prompt: pb.Prompt, terminal: Terminal, counts: bool) -> None:
        self._prompt = prompt
        self._terminal = terminal
        self._counts = counts
        self._edited: dict[int, Bounds] = {}
        self._open = [line for line in prompt.lines if line.offers]

    def decisions(self) -> list[pb.Decision]:
        """What the person decides; no for all where nobody answers."""
        try:
            if self._prompt.review or len(self._open) != 1:
                return self._together()
            return [self._single(self._open[0])]
        except Unanswered:
            self._terminal.say("no answer: that is a no")
            return self._all(pb.CHOICE_NO)

    # ---- all lines on one screen

    def _together(self) -> list[pb.Decision]:
        self._show()
        keys = [key for key in KEYS if all(_offered(line, KEYS[key]) for line in self._open)]
        while True:
            key, _ = self._key(self._menu(keys))
            if key == "a" and self._prompt.review:
                key = "v"
            if key in keys:
                return self._all(KEYS[key], self._until(key))
            match key:
                case "n":
                    return self._all(pb.CHOICE_NO)
                case "never" if not self._prompt.review:
                    return self._all(pb.CHOICE_NEVER)
                case "c":
                    return [self._one(line) for line in self._open]
                case "e" if self._prompt.review:
                    self._edit()
                    self._show()
                case "?":
                    self._terminal.say(sheet.details(self._prompt, self._edited, self._terminal.width))

    def _show(self) -> None:
        if self._prompt.review:
            shown = sheet.review(self._prompt, self._edited, self._counts, self._terminal.colour, self._terminal.width)
        else:
            shown = sheet.batch(self._prompt, self._terminal.colour, self._terminal.width)
        self._terminal.say(shown)

    def _menu(self, keys: Sequence[str]) -> list[str]:
        if self._prompt.review:
            all_of_it = ["[a]ll while this version lives"] if "v" in keys else []
            rest = [WORDS[key] for key in keys if key != "v"]
            return [*all_of_it, *rest, "[c]hoose", "[e]dit", "[n]o", "[?]"]
        return [*(WORDS[key] for key in keys), "[c]hoose", "[n]o", "never", "[?]"]

    def _all(self, choice: Choice.ValueType, until_ms: int = 0) -> list[pb.Decision]:
        return [self._decision(line, choice, self._edited.get(line.number, ()), until_ms) for line in self._open]

    def _one(self, line: pb.Line) -> pb.Decision:
        """One line of several, on its own."""
        if not self._prompt.review:
            return self._single(line)
        bounds = self._edited.get(line.number, line.bounds)
        self._terminal.say("\n".join(fitted(sheet.rows(line, bounds, self._counts), self._terminal.width)))
        keys = [key for key in KEYS if _offered(line, KEYS[key])]
        while True:
            key, _ = self._key([*(WORDS[key] for key in keys), "[n]o", "never"])
            if key in keys:
                return self._decision(line, KEYS[key], self._edited.get(line.number, ()), self._until(key))
            if key in ("n", "never"):
                return self._decision(line, pb.CHOICE_NO if key == "n" else pb.CHOICE_NEVER)

    # ---- one call, with its scopes

    def _single(self, line: pb.Line) -> pb.Decision:
        self._terminal.say(sheet.call(self._prompt, line, self._counts, self._terminal.colour, self._terminal.width))
        scopes = sheet.scopes(line)
        keys = [key for key in KEYS if _offered(line, KEYS[key])]
        wide = [f"  a number after the letter picks the scope: {key}2" for key in keys[-1:] if len(scopes) > 1]
        while True:
            key, number = self._key([*(WORDS[key] for key in keys), "[n]o", "never", "[?]"], *wide)
            if key in ("n", "never"):
                return self._decision(line, pb.CHOICE_NO if key == "n" else pb.CHOICE_NEVER)
            if key == "?":
                self._terminal.say(sheet.details(self._prompt, {}, self._terminal.width))
            elif key in keys:
                if (scope := _scope(line, KEYS[key], scopes, number)) is not None:
                    return self._decision(line, KEYS[key], scope, self._until(key))
                self._terminal.say(f"  scope {number} is not on offer for {key}")

    # ---- what the keys need

    def _key(self, menu: Sequence[str], *more: str) -> tuple[str, int]:
        """The key that was typed, and the number after it (1 where there is none)."""
        shown = "\n".join([*folded(menu, self._terminal.width), *more])
        said = self._terminal.line(shown + "\n  > ")
        typed = _ANSWER.fullmatch(said.lower())
        key = _SPOKEN.get(typed[1], typed[1]) if typed else ""
        if typed and key in _answers(menu):
            return key, int(typed[2] or 1)
        if said:
            self._terminal.say(f"  {quoted(said, 40)} is no answer here: type a letter that stands in brackets")
        return "", 1

    def _until(self, key: str) -> int:
        """The moment a grant ends, where the key is `u`."""
        while key == "u":
            typed = self._terminal.line("  until when? (30m, 2h, 3d, or a time as 18:00) > ")
            if moment := until(typed, datetime.now().astimezone()):
                return moment
            self._terminal.say(f"  {quoted(typed, 40)} is no time")
        return 0

    def _edit(self) -> None:
        """Narrow the bounds of one line, value by value, in place; an emptied value is taken out."""
        line = self._open[0] if len(self._open) == 1 else self._numbered()
        if line is None:
            return
        narrowed = []
        for bound in self._edited.get(line.number, line.bounds):
            typed = [_placed(self._terminal.edit(f"  {bound.name}: ", value), value) for value in bound.values]
            narrowed.append(capability_pb2.Bound(name=bound.name, values=[value for value in typed if value]))
        # Without a secret a line is narrower; without anything else it is nothing.
        lent = {bound.name for bound in line.bounds if {*bound.values} <= {secret.name for secret in line.secrets}}
        left = [bound for bound in narrowed if bound.values or bound.name not in lent]
        if all(bound.values for bound in left):
            self._edited[line.number] = left
        else:
            self._terminal.say("  nothing would be left of it: use [c]hoose to say no to a line")

    def _numbered(self) -> pb.Line | None:
        typed = self._terminal.line("  which line? > ")
        line = next((line for line in self._open if str(line.number) == typed), None)
        if line is None:
            open_ones = ", ".join(str(each.number) for each in self._open)
            self._terminal.say(f"  {quoted(typed, 40) or 'nothing'} is no line to edit: there are {open_ones}")
        return line

    def _decision(self, line: pb.Line, choice: Choice.ValueType, bounds: Bounds = (), until_ms: int = 0) -> pb.Decision:
        return pb.Decision(number=line.number, choice=choice, bounds=bounds, until_ms=until_ms)


def _answers(menu: Sequence[str]) -> set[str]:
    """The answers that a menu offers: its letters in brackets, and never."""
    letters = set(re.findall(r"\[(.)\]", " ".join(menu)))
    return letters | ({"v"} if "a" in letters else set()) | ({"never"} & set(menu))


def _placed(typed: str, before: str) -> str:
    """A path that was typed as a shell takes it, from `~` or from this folder, in place of a whole one."""
    if not typed or not before.startswith("/") or typed.startswith("/"):
        return typed
    here = source.folders()
    return here["home_folder"] + typed[1:] if typed.startswith("~/") else f"{here['start_folder']}/{typed}"


def _offered(line: pb.Line, choice: Choice.ValueType) -> bool:
    return any(offer.choice == choice for offer in line.offers)


def _scope(line: pb.Line, choice: Choice.ValueType, scopes: Sequence[Bounds], number: int) -> Bounds | None:
    """The bounds of that scope, if this choice is offered for it."""
    if not 1 <= number <= len(scopes):
        return None
    offered = [list(offer.bounds) for offer in line.offers if offer.choice == choice]
    return scopes[number - 1] if list(scopes[number - 1]) in offered else None


def until(typed: str, now: datetime) -> int:
    """'30m', '2h', '3d' or '18:00' as milliseconds since 1970; 0 where it is none of these."""
    if spoken := re.fullmatch(r"(\d{1,4})\s*([mhdw])", typed):
        return round((now.timestamp() + int(spoken[1]) * _SPANS[spoken[2]]) * 1000)
    if not (clock := re.fullmatch(r"(\d{1,2}):(\d\d)", typed)):
        return 0
    try:
        moment = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
    except ValueError:
        return 0
    return round((moment if moment > now else moment + timedelta(days=1)).timestamp() * 1000)
