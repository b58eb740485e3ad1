"""A program as the shell reads it from disk: its bytes, the agent.toml beside it, and where relative paths start."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypedDict

from agentos.shell.failure import Failure
from agentos.v1 import control_pb2 as pb

# A whole Python guest is 31 MB; the kernel has its own, lower limit for scripts.
LARGEST = 64 << 20
LARGEST_INPUT = 4 << 20


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


def given(text: str | None) -> str:
    """A run's input: JSON itself, or the text of @FILE or - (standard input). The kernel checks that it is JSON."""
    if text is None or (text != "-" and not text.startswith("@")):
        return text or ""
    name = "standard input" if text == "-" else f"the file {text[1:]}"
    try:
        with open(0 if text == "-" else text[1:], "rb", closefd=text != "-") as stream:
            content = stream.read(LARGEST_INPUT + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "this is no name of a file"
        raise Failure(f"{name} cannot be read: {why}", "write it as @FILE, with the path of a file") from None
    if len(content) > LARGEST_INPUT:
        raise Failure(f"{name} is larger than 4 MiB", "put it in a file that the program is allowed to read")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Failure(f"{name} is not UTF-8 text", "save it as UTF-8") from None


def _bytes(path: Path, missing: str) -> bytes:
    """What a regular file holds, up to the limit: a device or a pipe could go on for ever, or never begin."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            kind = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(kind):
                raise Failure(f"{path} is not a file", "save the program in a file, and name that")
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Failure(missing, "check the path; agentos runs a Python script or a Wasm component") from None
    except IsADirectoryError:
        raise Failure(
            f"{path} is a folder, not a program", "name the script itself: agentos run FOLDER/main.py"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "this is no name of a file"
        raise Failure(f"{path} cannot be read: {why}", "check the path, and who may read it: ls -l") from None
    if len(content) > LARGEST:
        raise Failure(f"{path} is larger than 64 MiB", "that is no program; was another file meant?")
    return content
