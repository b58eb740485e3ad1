"""What was measured on: enough to know whether two sheets of figures can be compared."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("wasmtime", "grpcio", "apsw-sqlite3mc", "uvloop", "componentize-py")


def described() -> dict[str, str]:
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_field('/proc/cpuinfo', 'model name') or platform.processor()}, {os.cpu_count()} cores",
        "memory": f"{int((_field('/proc/meminfo', 'MemTotal') or '0 kB').split()[0]) / 2**20:.1f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "disk": f"{_filesystem(tempfile.gettempdir())} at the temporary folder, where home and files lie",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{package: version(package) for package in PACKAGES},
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " over 1, 5, 15 minutes, at the start",
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
    }


def _field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _filesystem(folder: str) -> str:
    """The kind of the mount that a folder lies on: the last of the longest."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "unknown"
    place = os.path.realpath(folder)
    on = [mount for mount in mounts if place == mount[1] or place.startswith(mount[1].rstrip("/") + "/")]
    return max(on, key=lambda mount: len(mount[1]))[2] if on else "unknown"
