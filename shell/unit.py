"""What a service of this home looks like: a unit of systemd, or a property list of launchd. Text alone.

No secret is in it: the key comes from the keyring, from a key file, or later from the person. The first line carries a
digest of all that follows, by which what a person changed by hand is known, and not written over without a question.

Each hardening directive below works for a service of a person, without root, and leaves to cells and servers what they
build their own walls of. Left out, and why:

    ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, ProtectKernel*    a mount namespace: without root that is a
        user namespace too, in which programs would not find the folders that their person granted them
    MemoryDenyWriteExecute     compiled guests are mapped and made executable
    SystemCallFilter           each cell and each server has a narrower one; the kernel has to be able to set them up
    PrivateNetwork, IPAddress* what may be reached is decided call by call, by the grants
    CapabilityBoundingSet      a person's processes have none
"""

from __future__ import annotations

import hashlib
import plistlib
from collections.abc import Mapping
from dataclasses import dataclass

MARK = "Made by: agentos service install. Digest of what follows: "
UNIT = """\
[Unit]
Description={description}
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}\
WatchdogSec=60
TimeoutStartSec=180
TimeoutStopSec=20
Restart=on-failure
RestartSec=2
# It said why it does not start, and would say so again.
RestartPreventExitStatus=5
# It ends its cells itself; what is left after that is killed.
KillMode=mixed
# A cell that took too much memory ends alone.
OOMPolicy=continue
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class Wanted:
    """What is to be kept running: a command of absolute paths, for a home, in an environment."""

    home: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def named(home: str, default: str) -> str:
    """The name of the service of a home; that of the person's own home is the plain one."""
    return "agentos" if home == default else f"agentos-{hashlib.blake2b(home.encode(), digest_size=4).hexdigest()}"


def systemd(wanted: Wanted) -> str:
    """The unit, with its digest."""
    first, *rest = wanted.command
    # A dollar is the sign of a variable in all but the program itself.
    command = " ".join([_quoted(first), *(_quoted(word).replace("$", "$$") for word in rest)])
    settings = [f"Environment={_quoted(f'{name}={value}')}\n" for name, value in sorted(wanted.environment.items())]
    description = f"Agent OS: {wanted.home}".replace("%", "%%").replace("\\", "\\\\").replace("\n", " ")
    text = UNIT.format(description=description, command=command, environment="".join(settings))
    return f"# {MARK}{_digest(text)}\n{text}"


def launchd(wanted: Wanted, label: str, log: str) -> str:
    """The property list, with its digest."""
    entries = {
        "Label": label,
        "ProgramArguments": list(wanted.command),
        "EnvironmentVariables": dict(wanted.environment),
        "RunAtLoad": True,
        # Started anew where it failed, and left alone where it ended in order; at most every ten seconds.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 20,
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "HardResourceLimits": {"Core": 0},
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    head, _, text = plistlib.dumps(entries).decode().partition("\n")
    return f"{head}\n<!-- {MARK}{_digest(text)} -->\n{text}"


def made_by_us(text: str) -> bool | None:
    """Whether this is what we wrote, word for word; None where we wrote none of it."""
    head, found, rest = text.partition(MARK)
    if not found or head not in ("# ", '<?xml version="1.0" encoding="UTF-8"?>\n<!-- '):
        return None
    line, _, text = rest.partition("\n")
    return line.removesuffix(" -->") == _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _quoted(word: str) -> str:
    """A word for systemd: quoted, with the signs of its own spelled twice."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    for sign, spelled in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        word = word.replace(sign, spelled)
    return f'"{word}"'
