"""`python -m agentos.kernel serve`: serve a home. For the shell, not for people.

    serve --home H [--secret-fd N] [--ready-fd M] [--until-fd U] [--ready-cells N] [--require-walls]
          [--command run|look]

What opens the home comes over descriptor N, and one line of JSON says that the kernel listens, or why it does not: see
agentos.home.process. A kernel that is given U, the reading end of a pipe, stops once the other end is closed, however
that came, and no run is under way. With --command it says of itself that it is there for one alone; for one that only
looks it listens before the guest is prepared, and its first run waits for that; where walls are required they are
tried first all the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from agentos.home import home, process
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.home import HomeError
from agentos.home.notify import Keeper
from agentos.kernel.cells import turns


def main() -> int:
    keeper = Keeper.taken()
    process.modest_stacks()
    process.give_back()
    options = _parser().parse_args()
    for descriptor in (options.ready_fd, options.secret_fd, options.until_fd):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    try:
        process.harden()
        turns.take(turns.SHORT_US)  # before there is any other thread
        secret = process.secret(options.secret_fd)
        path = Path(os.path.abspath(options.home)) if options.home else home.default_home()
        if _serve(path, secret, options, keeper):
            walls = ["--require-walls"] * options.require_walls
            again = ["wait", "--home", str(path), "--ready-cells", str(options.ready_cells), *walls]
            keeper.give_back()
            process.become("agentos.locked", *again, until_fd=options.until_fd)
    except (HomeError, JournalBroken, JournalFull) as error:
        code = "disk_full" if isinstance(error, JournalFull) else error.code
        keeper.status(f"not started: {error.reason}")
        return process.refuse(options.ready_fd, code, error.reason, error.hint)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.kernel")
    verb = parser.add_subparsers(dest="verb", required=True).add_parser("serve")
    verb.add_argument("--home", default="")
    for name in ("--ready-fd", "--secret-fd", "--until-fd"):
        verb.add_argument(name, type=int)
    verb.add_argument("--ready-cells", type=int, default=2)
    verb.add_argument("--require-walls", action="store_true")
    verb.add_argument("--command", choices=("run", "look"), default="")
    return parser


def _serve(path: Path, secret: str, options: argparse.Namespace, keeper: Keeper) -> bool:
    """Until it ends; whether that is to forget the key."""
    opened = home.unlock(path, secret)
    try:
        with process.loading():
            from agentos.kernel.serve import Options, serve

        # A descriptor of its own: serve closes it when all is well, and ours is still there for what is not.
        told = os.dup(options.ready_fd if options.ready_fd is not None else sys.stdout.fileno())
        given = Options(told, options.ready_cells, options.require_walls, options.until_fd, "", keeper, options.command)
        return process.run(serve(opened, given))
    finally:
        opened.close()


if __name__ == "__main__":
    sys.exit(main())
