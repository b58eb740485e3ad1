"""What every command shares: the global options, and a kernel to talk to for as long as the command needs one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentos.shell.failure import Failure
from agentos.shell.paint import emit

if TYPE_CHECKING:
    from agentos.shell.connect import Kernel


Flag = Parameter(negative="", show_default=False)
ALL = Parameter(name="--all", negative="", show_default=False)
Optional = Parameter(show_default=False, negative="")


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """The options of every command."""

    json: Annotated[bool, Flag] = False
    """Print one JSON value instead of text."""

    on: Annotated[str, Optional] = ""
    """The kernel of another machine: ssh://[user@]host[:port]."""

    home: Annotated[str, Optional] = ""
    """The home folder; else AGENTOS_HOME, else this platform's place for such data."""

    @contextmanager
    def kernel(self, make_home: bool = False, start: bool = True, runs: bool = False) -> Iterator[Kernel]:
        """A kernel: the one that is up, or with `start` one for this command alone, stopped afterwards.

        `make_home` asks how to keep the key where there is no home yet. With `runs` there are cells from the start;
        whoever only looks waits for none. Raises Failure with exit code 5.
        """
        if self.on:
            from agentos.shell.remote import reached

            with reached(self.on) as kernel:
                yield kernel
            return
        from agentos.shell.start import local

        with local(self.home, make_home, start, runs) as kernel:
            yield kernel

    def here(self, what: str) -> None:
        """For what works on this machine alone. Raises Failure with --on, rather than do it to the wrong one."""
        if self.on:
            raise Failure(f"{what} works on this machine alone", "leave --on out, or run it there, over ssh")

    def answer(self, value: object) -> bool:
        """Print the value if JSON is wanted; says whether it was."""
        if self.json:
            emit(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=sys.stdout.isatty()))
        return self.json


DEFAULTS = Common()
