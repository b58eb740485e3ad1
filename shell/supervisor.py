"""Who keeps the kernel running on this machine: systemd, for a person's own services, or launchd. Run, never linked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentos.shell import unit
from agentos.shell.failure import Exit, Failure

SECONDS = 60.0
LABEL = "org.agentos."
# What a kernel that is started by hand here would be told, and one that is started for us would not.
TOLD = ("AGENTOS_STATE", "AGENTOS_NET_RESOLVER", "AGENTOS_NET_CA", "XDG_DATA_HOME", "XDG_STATE_HOME")
PROPERTIES = ("LoadState", "ActiveState", "SubState", "StatusText", "MainPID", "NRestarts", "Result", "UnitFileState")


@dataclass(frozen=True)
class Said:
    """How a tool ended; `code` is None where there is no such tool."""

    code: int | None
    out: str
    err: str

    @property
    def well(self) -> bool:
        return self.code == 0


def tool(*command: str) -> Said:
    """What a tool of this machine says, in its own language and without a pager."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOS_")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS,
            stdin=subprocess.DEVNULL, env=environment | {"LC_ALL": "C", "SYSTEMD_PAGER": ""},
        )  # fmt: skip
    except OSError:
        return Said(None, "", f"there is no {command[0]} on this machine")
    except subprocess.TimeoutExpired:
        return Said(1, "", f"{command[0]} did not answer within {SECONDS:.0f} s")
    return Said(done.returncode, done.stdout.strip(), done.stderr.strip())


def wanted(home: str, ready: int, locked: bool = False) -> unit.Wanted:
    """This installation, by its absolute path, on this home. -P: no folder that it is started in has code for it.

    With `locked` it starts without the key, and waits until the person brings it.
    """
    environment = {name: os.environ[name] for name in TOLD if os.environ.get(name)}
    for name in set(environment) - {"AGENTOS_NET_RESOLVER"}:
        environment[name] = os.path.abspath(environment[name])
    what = ("agentos.locked", "wait") if locked else ("agentos.kernel", "serve")
    command = (os.path.abspath(sys.executable), "-P", "-m", *what, "--home", home)
    return unit.Wanted(home, (*command, "--ready-cells", str(ready)), environment)


class Systemd:
    """A unit in the person's own folder for units."""

    def __init__(self, name: str) -> None:
        self.name = f"{name}.service"
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self.path = Path(config, "systemd", "user", self.name)

    def text(self, of: unit.Wanted) -> str:
        if not of.command[0].isprintable() or set(of.command[0]) & set("\"'\\"):
            raise Failure(f"systemd runs no program at such a path: {of.command[0]}", "install agentos elsewhere")
        return unit.systemd(of)

    def missing(self) -> str:
        """Why no service can be started here, if so."""
        asked = tool("systemctl", "--user", "show-environment")
        if asked.code is None:
            return "there is no systemd on this machine (no systemctl)"
        return "" if asked.well else f"no systemd answers for you here: {_last(asked)}"

    def start(self, changed: bool) -> None:
        """Let systemd know of it, now and at each log-in. Raises Failure."""
        _done("systemctl", "--user", "daemon-reload")
        _done("systemctl", "--user", "enable", self.name)
        started = tool("systemctl", "--user", "restart" if changed else "start", self.name)
        if not started.well:
            why = self.state().get("StatusText") or _last(started)
            raise Failure(f"{self.name} did not start: {why}", "see: agentos service logs", Exit.FAILED, "unavailable")

    def stop(self) -> None:
        _done("systemctl", "--user", "disable", "--now", self.name)

    def forget(self) -> None:
        """It is not there any more; nor, where no systemd answered, what has it started at log-in."""
        link = self.path.parent / "default.target.wants" / self.name
        if link.is_symlink() and link.readlink().name == self.name:
            link.unlink()
        tool("systemctl", "--user", "daemon-reload")
        tool("systemctl", "--user", "reset-failed", self.name)

    def state(self) -> dict[str, str]:
        said = tool("systemctl", "--user", "show", self.name, "--property", ",".join(PROPERTIES))
        return dict(line.split("=", 1) for line in said.out.splitlines() if "=" in line) if said.well else {}

    def hint(self) -> str:
        """What is left to do for a machine that nobody is logged in on."""
        user = str(os.geteuid())
        lingers = tool("loginctl", "show-user", user, "--property=Linger", "--value").out == "yes"
        return "" if lingers else "it ends when you log out; to keep it running: loginctl enable-linger"

    def logs(self, lines: int, follow: bool) -> list[str]:
        return ["journalctl", "--user", "--user-unit", self.name, "--lines", str(lines), *["--follow"] * follow]


class Launchd:
    """A property list in the person's own folder for agents."""

    def __init__(self, name: str) -> None:
        self.name = LABEL + name
        library = Path(os.path.expanduser("~/Library"))
        self.path = library / "LaunchAgents" / f"{self.name}.plist"
        self.log = library / "Logs" / f"{self.name}.log"
        self.domain = f"gui/{os.getuid()}"

    def text(self, of: unit.Wanted) -> str:
        return unit.launchd(of, self.name, str(self.log))

    def missing(self) -> str:
        return "" if tool("launchctl", "version").code is not None else "there is no launchd on this machine"

    def start(self, changed: bool) -> None:
        if changed:
            tool("launchctl", "bootout", f"{self.domain}/{self.name}")
        if not tool("launchctl", "print", f"{self.domain}/{self.name}").well:
            _done("launchctl", "bootstrap", self.domain, str(self.path))

    def stop(self) -> None:
        tool("launchctl", "bootout", f"{self.domain}/{self.name}")

    def forget(self) -> None:
        """launchd knows it by its file alone."""

    def state(self) -> dict[str, str]:
        said = tool("launchctl", "print", f"{self.domain}/{self.name}")
        lines = (line.strip().partition(" = ") for line in said.out.splitlines())
        return {name: value for name, _, value in lines if name in ("state", "pid", "runs", "last exit code")}

    def hint(self) -> str:
        return "it runs while you are logged in"

    def logs(self, lines: int, follow: bool) -> list[str]:
        return ["tail", "-n", str(lines), *["-f"] * follow, str(self.log)]


def of(name: str) -> Systemd | Launchd:
    return Launchd(name) if sys.platform == "darwin" else Systemd(name)


def _done(*command: str) -> None:
    said = tool(*command)
    if not said.well:
        raise Failure(
            f"{' '.join(command)} failed: {_last(said)}", "agentos service status", Exit.FAILED, "unavailable"
        )


def _last(said: Said) -> str:
    lines: Sequence[str] = (said.err or said.out).splitlines()
    return lines[-1] if lines else f"exit code {said.code}"
