"""A program as the shell reads it from disk: its bytes, the agent.toml beside it, and where relative paths start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

from agentos.shell.failure import Failure
from agentos.v1 import control_pb2 as pb

# A whole Python guest is 31 MB; the kernel has its own, lower limit for scripts.
LARGEST = 64 << 20


class Folders(TypedDict):
    """What relative patterns and `~` mean."""

    start_folder: str
    home_folder: str


def folders() -> Folders:
    """This working folder and this person's home, links resolved."""
    return {"start_folder": os.path.realpath("."), "home_folder": os.path.realpath(Path.home())}


def read(program: str) -> pb.Source:
    """The program at this path. Raises Failure if it cannot be read."""
    path = Path(os.path.abspath(program))
    content = _bytes(path, f"there is no program {program}")
    beside = path.parent / "agent.toml"
    if not beside.is_file():
        return pb.Source(path=str(path), content=content)
    manifest = _bytes(beside, f"the manifest {beside} cannot be read")
    return pb.Source(path=str(path), content=content, manifest=manifest, manifest_path=str(beside))


def _bytes(path: Path, missing: str) -> bytes:
    try:
        if path.is_dir():
            raise Failure(f"{path} is a folder, not a program", "name the script itself: agentos run FOLDER/main.py")
        if path.stat().st_size > LARGEST:
            raise Failure(f"{path} is larger than 64 MiB", "that is no program; was another file meant?")
        return path.read_bytes()
    except FileNotFoundError:
        raise Failure(missing, "check the path; agentos runs a Python script or a Wasm component") from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}", "check who may read it: ls -l") from None
