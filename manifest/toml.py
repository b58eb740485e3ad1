"""A TOML text that knows on which line each key stands, so that an error can name it.

tomllib parses and judges; `_Scan` then walks the same, now known to be good, text once more and only notes where keys
and array elements begin. The two are compared by the tests: every place that tomllib found has a line.
"""

from __future__ import annotations

import re
import tomllib

MAX_BYTES = 64 << 10

Key = str | int
Place = tuple[Key, ...]


class ManifestError(Exception):
    """A manifest that is not one: the file and line to look at (0: no line), what is wrong, and what to write."""

    def __init__(self, file: str, line: int, reason: str, hint: str = "") -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
        self.hint = hint

    @property
    def placed(self) -> str:
        """What is wrong, after where."""
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


def shown(text: str) -> str:
    """Text of a program within one of our own lines: short, and each character visible."""
    visible = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:80])
    return visible + "…" if len(text) > 80 else visible


# tomllib takes quadratic time on keys of very many parts.
_DEEP = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){32}""", re.ASCII)


class Document:
    """A parsed text. `first` is the line of the file that its first line stands on."""

    def __init__(self, text: str, file: str, first: int = 1) -> None:
        self.file = file
        self._first = first
        if len(text) > MAX_BYTES:
            raise ManifestError(file, first, f"the manifest is larger than {MAX_BYTES >> 10} KiB", "use wider patterns")
        deep = _DEEP.search(text)
        if deep:
            line = first + text.count("\n", 0, deep.start())
            raise ManifestError(file, line, "a key of more than 32 parts", "keys are such as grants.files.read")
        try:
            self.table: dict[str, object] = tomllib.loads(text)
            self._lines = _Scan(text).lines
        except RecursionError:
            raise ManifestError(file, first, "the manifest is nested too deep") from None
        except ValueError as wrong:
            raise self._broken(text, str(wrong)) from None

    def _broken(self, text: str, message: str) -> ManifestError:
        """tomllib says `reason (at line 3, column 5)`, or `(at end of document)`."""
        at = re.search(r" \(at (?:line (\d+)|end)[^()]*\)\Z", message)
        line = int(at[1]) if at and at[1] else text.rstrip("\n").count("\n") + 1 if at else 1
        reason = message[: at.start()] if at else "a number or date is out of range"
        hint = 'correct that line; one of grants looks like this: "files.read" = { path = ["notes/**"] }'
        if "key part" in reason:
            hint = "an inline table { … } stands on one line; a list may have several"
        elif "overwrite" in reason:
            hint = "write a key once; several bounds of one action are a list: [{ … }, { … }]"
        return ManifestError(self.file, self._first + line - 1, f"not TOML: {shown(reason)}", hint)

    def line(self, place: Place) -> int:
        """The line of the file on which a key or element stands, else that of the nearest table around it."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._first + self._lines.get(place, 1) - 1

    def wrong(self, place: Place, reason: str, hint: str = "") -> ManifestError:
        return ManifestError(self.file, self.line(place), reason, hint)


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_LONG_BASIC = re.compile(r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']|'(?!''))*'{3,5}")


class _Scan:
    """Where the keys and elements of a well-formed document begin, by place."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._text = text
        self._at = 0
        self._counted = (0, 1)
        self._last: dict[Place, int] = {}
        table: Place = ()
        while self._skip(_BLANK):
            if self._next("["):
                table = self._header()
            else:
                self._pair(table)

    def _next(self, prefix: str) -> bool:
        return self._text.startswith(prefix, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Go past what matches here; whether anything is left."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _note(self, place: Place) -> None:
        """Remember the line of a place. Lines are counted from the last place on, so all of it is linear."""
        before, line = self._counted
        line += self._text.count("\n", before, self._at)
        self._counted = (self._at, line)
        self.lines.setdefault(place, line)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError("the scan lost its place")
        self._at = found.end()
        return found[0]

    def _keys(self) -> list[str]:
        """A dotted key, its parts decoded."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            quoted = _BASIC if self._next('"') else _LITERAL if self._next("'") else None
            raw = self._take(quoted or _BARE)
            keys.append(str(tomllib.loads(f"k = {raw}")["k"]) if quoted else raw)
            self._skip(_SPACE)
            if not self._next("."):
                return keys
            self._at += 1

    def _header(self) -> Place:
        """`[a.b]`, or `[[a.b]]`, which is one more element; a name on the way may be such an array, too."""
        brackets = 2 if self._next("[[") else 1
        self._at += brackets
        place: Place = ()
        keys = self._keys()
        for key in keys:
            place = (*place, self._last[place], key) if place in self._last else (*place, key)
            self._note(place)
        if brackets == 2:
            self._last[place] = self._last.get(place, -1) + 1
            place = (*place, self._last[place])
            self._note(place)
        self._at += brackets
        return place

    def _pair(self, table: Place) -> None:
        for key in self._keys():
            table = (*table, key)
            self._note(table)
        self._at += 1
        self._skip(_SPACE)
        self._value(table)

    def _value(self, place: Place) -> None:
        if self._next("[") or self._next("{"):
            self._elements(place)
        elif self._next('"') or self._next("'"):
            long = _LONG_BASIC if self._next('"""') else _LONG_LITERAL if self._next("'''") else None
            self._take(long or (_BASIC if self._next('"') else _LITERAL))
        else:
            self._take(_SCALAR)

    def _elements(self, place: Place) -> None:
        """What is between brackets or braces."""
        array = self._next("[")
        self._at += 1
        count = 0
        while self._skip(_BLANK) and not self._next("]" if array else "}"):
            if array:
                self._note((*place, count))
                self._value((*place, count))
                count += 1
            else:
                self._pair(place)
            self._skip(_BLANK)
            if self._next(","):
                self._at += 1
            elif not self._next("]" if array else "}"):
                raise ValueError("the scan lost its place")
        self._at += 1
