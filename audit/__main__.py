"""`python -m agentos.audit`: look at a home's journal with other eyes than those of the kernel.

    verify DATABASE [--head-file PATH] [--kept NAME LINE]… [--head LINE]… [--json]
    show   DATABASE [--since WHEN] [--program NAME] [--kind KIND]… [--json]

Both want `--keys-fd N`: a descriptor with 64 bytes, the key of the database and the public key of the home. They only
read, in one transaction, so that a kernel may be at work meanwhile. Exit status: 0 all is well, 1 something is wrong, 2
it could not be looked at. What is checked is said in `agentos.audit.format`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import sys
from pathlib import Path

from agentos.audit import check, story
from agentos.audit.format import Database, Unreadable

KEYS_BYTES = 64


def main() -> int:
    asked = _parser().parse_args()
    _harden()
    try:
        database = Database(asked.database, *_keys(asked.keys_fd))
        if asked.verb == "verify":
            return _verify(database, asked)
        told = story.told(database, story.moment(asked.since), asked.program, tuple(asked.kind))
        for each in told:
            print(json.dumps(each.fields) if asked.json else each.line)
        return 0
    except (Unreadable, ValueError) as wrong:
        print(json.dumps({"error": str(wrong)}) if asked.json else f"it could not be looked at: {wrong}")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.audit")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("verify", "show"):
        verb = verbs.add_parser(name)
        verb.add_argument("database", type=Path)
        verb.add_argument("--keys-fd", type=int, required=True)
        verb.add_argument("--json", action="store_true")
        if name == "verify":
            verb.add_argument("--head-file", type=Path)
            verb.add_argument("--kept", nargs=2, action="append", default=[])
            verb.add_argument("--head", action="append", default=[])
        else:
            verb.add_argument("--since", default="")
            verb.add_argument("--program", default="")
            verb.add_argument("--kind", action="append", default=[], choices=story.KINDS)
    return parser


def _harden() -> None:
    """It holds the key of the database: no core, and nobody looks into its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def _keys(descriptor: int) -> tuple[bytes, bytes]:
    with open(descriptor, "rb") as pipe:
        raw = pipe.read(KEYS_BYTES + 1)
    if len(raw) != KEYS_BYTES:
        raise Unreadable("the keys are 64 bytes")
    return raw[:32], raw[32:]


def _verify(database: Database, asked: argparse.Namespace) -> int:
    heads = [("the line that was given", line) for line in asked.head]
    if asked.head_file is not None:
        heads.append(("the head that is kept away from the database", _line(asked.head_file)))
    heads += [(name, line) for name, line in asked.kept]
    found = check.verified(database, heads)
    if asked.json:
        print(json.dumps(found.fields))
    else:
        print("\n".join(found.lines))
    return int(bool(found.faults))


def _line(path: Path) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(1024)
    except OSError:
        return ""


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
