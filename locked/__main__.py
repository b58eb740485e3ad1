"""`python -m agentos.locked wait`: hold a home whose key is not here, until somebody brings it. For the shell.

    wait --home H [--ready-fd M] [--until-fd U] [--ready-cells N] [--require-walls] [--trouble-fd T]

The options are those of `agentos.kernel serve`, which this goes on as, in the same process and under the same
credential, once the home is unlocked. When that kernel is told to forget the key, or cannot go on, this process becomes
`wait` anew by exec, so that nothing of what it knew is left in its memory; T then says what was wrong.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from agentos.home import home, process
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.keys import HomeError
from agentos.home.notify import Keeper
from agentos.locked.waiting import Trouble, Waiting

MOST_LETTERS = 1_000
FORGET = Trouble()


def main() -> int:
    keeper = Keeper.taken()
    process.modest_stacks()
    options = _parser().parse_args()
    for descriptor in (options.ready_fd, options.until_fd, options.trouble_fd):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    try:
        process.harden()
        process.secret(None)  # a passphrase in the environment is for nobody here
        held = home.hold(Path(os.path.abspath(options.home)) if options.home else home.default_home())
    except HomeError as error:
        return process.refuse(options.ready_fd, error.code, error.reason, error.hint)
    try:
        trouble = process.run(_stay(held, options, keeper))
    finally:
        held.close()
    if trouble is not None:
        keeper.give_back()
        _again(options, trouble)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.locked")
    verb = parser.add_subparsers(dest="verb", required=True).add_parser("wait")
    verb.add_argument("--home", default="")
    for name in ("--ready-fd", "--until-fd", "--trouble-fd"):
        verb.add_argument(name, type=int)
    verb.add_argument("--ready-cells", type=int, default=2)
    verb.add_argument("--require-walls", action="store_true")
    return parser


async def _stay(held: home.Held, options: argparse.Namespace, keeper: Keeper) -> Trouble | None:
    """Wait, then serve; None where it was told to stop, else why the home is to be locked again."""
    trouble = _trouble(options.trouble_fd)
    token = trouble.token or secrets.token_urlsafe(32)
    waiting = Waiting(held, token, trouble, options.until_fd)
    opened = await waiting.served(lambda socket: _ready(held, str(socket), options.ready_fd, keeper))
    if opened is None:
        keeper.stopping()
        return None
    from agentos.kernel.serve import Options, serve

    nobody = os.open(os.devnull, os.O_WRONLY)  # who started us was answered long ago
    given = Options(nobody, options.ready_cells, options.require_walls, options.until_fd, token, keeper)
    try:
        return FORGET if await serve(opened, given) else None
    except (HomeError, JournalBroken, JournalFull) as wrong:
        return Trouble(wrong.reason[:MOST_LETTERS], wrong.hint[:MOST_LETTERS], token)


def _ready(held: home.Held, socket: str, descriptor: int | None, keeper: Keeper) -> None:
    keeper.ready(lambda: "locked; waiting for its key")
    if descriptor is not None:
        said: process.Said = {"ok": True, "socket": socket, "credential": str(held.credential), "pid": os.getpid()}
        process.say(descriptor, said | {"missing": [], "locked": True})
        os.close(descriptor)


def _trouble(descriptor: int | None) -> Trouble:
    if descriptor is None:
        return FORGET
    with open(descriptor, "rb") as pipe:
        return msgspec.json.decode(pipe.read(), type=Trouble)


def _again(options: argparse.Namespace, trouble: Trouble) -> NoReturn:
    told, given = os.pipe()
    os.write(given, msgspec.json.encode(trouble))
    os.close(given)
    arguments = ["wait", "--home", options.home, "--ready-cells", str(options.ready_cells)]
    arguments += ["--require-walls"] * options.require_walls
    process.become("agentos.locked", *arguments, until_fd=options.until_fd, trouble_fd=told)


if __name__ == "__main__":
    sys.exit(main())
