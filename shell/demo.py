"""make demo: three programs under a kernel of their own, on this very checkout, with no key and no account.

Everything here is the `agentos` command, shown before it runs; nothing is staged. With a terminal it really asks.
Without one the questions are shown, and the demo visibly answers them as a script would.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

from agentos.shell import sheet, source
from agentos.shell.connect import Kernel
from agentos.shell.found import Found
from agentos.shell.paint import coloured, columns, folded, paint
from agentos.shell.start import where
from agentos.shell.terminal import open_terminal
from agentos.shell.text import plural, quoted, span
from agentos.v1 import control_pb2 as pb

PROGRAMS = "guests/programs"
MENU = ("[a]ll while this version lives", "this [r]un", "[u]ntil …", "[c]hoose", "[e]dit", "[n]o", "[?]")
SECONDS = 60.0


class Demo:
    """One showing: where it runs, and whether somebody is there to be asked."""

    def __init__(self, home: Path) -> None:
        self._colour = coloured(sys.stdout)
        self._somebody = open_terminal() is not None
        self._width = min(os.get_terminal_size().columns, 120) if sys.stdout.isatty() else 80
        self._home = home
        self._environment = os.environ | {"AGENTOS_HOME": str(home), "AGENTOS_STATE": str(home.with_name("state"))}

    # ---- what the person sees

    def part(self, title: str, *about: str) -> None:
        self.say()
        self.say(f"━━ {title} ".ljust(self._width, "━"), "bold", "blue")
        for line in about:
            self.say(line)

    def say(self, text: str = "", *styles: str) -> None:
        print(paint(text, *styles, on=self._colour), flush=True)

    def agentos(self, *arguments: str) -> int:
        """Show a command and run it; the screen and the keyboard are its own meanwhile."""
        self.shown(arguments)
        command = [sys.executable, "-m", "agentos.shell.main", *arguments]
        return subprocess.run(command, env=self._environment, check=False).returncode

    def shown(self, arguments: Sequence[str]) -> None:
        self.say()
        self.say("$ agentos " + " ".join(f"'{each}'" if " " in each else each for each in arguments), "bold")

    # ---- the kernel

    @property
    def kernel(self) -> Kernel:
        """The demo's own kernel, for what the commands do not show."""
        return self._found.kernel()

    @cached_property
    def _found(self) -> Found:
        return where(str(self._home))

    @contextmanager
    def up(self) -> Iterator[None]:
        key = str(self._home.parent / "key")
        if self.agentos("init", "--key-file", key) or self.agentos("up", "--detach"):
            raise SystemExit(1)
        try:
            yield
        finally:
            self.part("The end")
            self.agentos("down")

    def run(self, program: str, *arguments: str) -> None:
        """One program: asked at the terminal, or explained and then granted as its manifest asks."""
        path = f"{PROGRAMS}/{program}"
        if self._somebody:
            self.agentos("run", path, *arguments)
        else:
            self.agentos("run", path, "--grant", "manifest", *arguments)
        self.sum_up()

    def question(self, program: str) -> None:
        """Without a terminal: the question as it would be asked, and who answers it."""
        if self._somebody:
            return
        asked = pb.ExplainRequest(source=source.read(f"{PROGRAMS}/{program}"), **source.folders())
        with closing(self.kernel) as kernel:
            wanted = kernel.call(kernel.stub.Explain, asked).program
        prompt = pb.Prompt(program=wanted, review=True, lines=wanted.lines, why="new program, you started it")
        self.say()
        self.say(sheet.review(prompt, {}, counts=True, colour=self._colour, width=self._width))
        self.say("\n".join(folded(MENU, self._width)))
        self.say("  > nobody is at a terminal, so the demo says: I have read it, --grant manifest", "yellow")

    # ---- what happened

    def last(self) -> pb.ShowRunResponse:
        with closing(self.kernel) as kernel:
            return kernel.call(kernel.stub.ShowRun, pb.ShowRunRequest(run="last"))

    def sum_up(self) -> None:
        """What the run did, what was granted, what was refused and why, how long it took."""
        found = self.last()
        granted = Counter(call.action for call in found.calls if call.decision == pb.CALL_DECISION_ALLOWED)
        refused = Counter(_reason(call) for call in found.calls if call.decision == pb.CALL_DECISION_REFUSED)
        told = [["allowed", ", ".join(f"{count}× {action}" for action, count in granted.items()) or "nothing"]]
        told += [["refused" if not place else "", why] for place, why in enumerate(map(_counted, refused.items()))]
        told += [["ended", _ended(found.run)], ["took", _took(found.run, self._somebody)]]
        self.say()
        for line in columns(told):
            self.say(line, "dim")

    def why(self) -> None:
        """The first refusal of the last run, in full."""
        refused = [call.seq for call in self.last().calls if call.decision == pb.CALL_DECISION_REFUSED]
        if refused:
            self.agentos("why", "last", str(refused[0]))

    # ---- a script that has no manifest

    def unasked(self, program: str) -> None:
        """Run a script without a manifest: at a terminal it asks; else its questions are answered here, one by one."""
        path = f"{PROGRAMS}/{program}"
        if self._somebody:
            self.agentos("run", path)
        else:
            self.answered("run", path, "--ask", "wait")
        self.sum_up()

    def answered(self, *arguments: str) -> None:
        self.shown(arguments)
        command = [sys.executable, "-m", "agentos.shell.main", *arguments]
        with subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL) as running:
            seen: set[str] = set()
            until = time.monotonic() + SECONDS
            while running.poll() is None and time.monotonic() < until:
                for prompt in self._waiting():
                    if prompt.id not in seen:
                        seen.add(prompt.id)
                        self.agentos("approve", prompt.id, "--for", "run", *_widest(prompt))
                time.sleep(0.05)
            running.terminate()

    def _waiting(self) -> list[pb.Prompt]:
        with closing(self.kernel) as kernel:
            return list(kernel.call(kernel.stub.Inbox, pb.InboxRequest()).prompts)

    def with_its_manifest(self, program: str, folder: Path) -> None:
        """The script again, under the manifest that its first run turned out to need."""
        script = f"{PROGRAMS}/{program}"
        self.agentos("manifest", script, "--from", "last")
        request = pb.SuggestManifestRequest(run=self.last().run.id)
        with closing(self.kernel) as kernel:
            block = kernel.call(kernel.stub.SuggestManifest, request).block
        copy = folder / program
        copy.write_text(block.rstrip("\n") + "\n" + Path(script).read_text())
        self.say()
        self.say("The same script with that block on top, and nothing else is asked or possible:")
        self.agentos("run", str(copy), *([] if self._somebody else ["--grant", "manifest"]))
        self.sum_up()


def _widest(prompt: pb.Prompt) -> list[str]:
    """For a file that is read: the middle scope (this folder), where the question offers one."""
    lines = prompt.lines
    wide = len(sheet.scopes(lines[0])) if len(lines) == 1 and lines[0].action == "files.read" else 1
    return ["--scope", str(wide)] if wide > 1 else []


def _reason(call: pb.Call) -> str:
    return f"{call.action}: {quoted(call.error.reason)}"


def _counted(found: tuple[str, int]) -> str:
    return f"{found[1]}× {found[0]}"


def _ended(run: pb.Run) -> str:
    status = pb.RunStatus.Name(run.status).removeprefix("RUN_STATUS_").lower()
    return f"{status}: {quoted(run.error.reason)}" if run.error.reason else status


def _took(run: pb.Run, asked: bool) -> str:
    timings = run.timings_us
    if not timings.first_line:
        return span(timings.ended - timings.cell)
    start, rest = timings.first_line - timings.cell, timings.ended - timings.first_line
    answers = " (your answers included)" if asked else ""
    return f"{span(start)} to start, {span(rest)} to run{answers}, {plural(run.calls, 'call')}"


def main() -> None:
    """The whole demo."""
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="agentos-demo-") as folder:
        demo = Demo(Path(folder) / "home")
        demo.part("Agent OS", *_welcome())
        with demo.up():
            demo.part(
                "1 · An honest program", "report.py reads the Markdown of this checkout and writes build/report.md."
            )
            demo.question("report.py")
            demo.run("report.py")
            demo.agentos("explain", f"{PROGRAMS}/report.py")
            demo.part(
                "2 · An ordinary script",
                "ordinary.py was written for plain Python: open, glob, csv.",
                "It has no manifest, so it asks for each thing.",
            )
            demo.unasked("ordinary.py")
            demo.with_its_manifest("ordinary.py", Path(folder))
            demo.part(
                "3 · A hostile program",
                "hostile.py calls itself weather, asks for one file, and tries everything else.",
            )
            demo.question("hostile.py")
            demo.run("hostile.py")
            demo.why()
            for way in ("loop", "bomb"):
                demo.run("hostile.py", way)
        demo.say()
        demo.say("Next, with a home of your own:")
        demo.say("  .venv/bin/agentos explain guests/programs/report.py", "bold")
        demo.say("  .venv/bin/agentos run guests/programs/report.py", "bold")


def _welcome() -> list[str]:
    return [
        "Three programs, each in a cell of its own: a Wasm guest that can reach nothing",
        "but the kernel, which decides, records and forwards each call. The demo has a",
        "home of its own and removes it at the end.",
    ]


if __name__ == "__main__":
    main()
