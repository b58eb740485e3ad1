"""`python -m agentos.kernel`: make a home, serve it, or say where its kernel is. For the shell, not for people.

    init  --home H --wrap keyring|passphrase|key-file [--key-file PATH] [--secret-fd N] [--ready-fd M]
    serve --home H [--secret-fd N] [--ready-fd M] [--until-fd U] [--ready-cells N] [--require-walls]
    where --home H [--ready-fd M]

Each says one line of JSON, on the descriptor M or else on standard output: what it made or found, or
{"error": {"code", "reason", "hint"}} and exit status 5. A secret (passphrase, or recovery key) comes over descriptor
N until its end, or from AGENTOS_PASSPHRASE; never from the command line, which everyone can read. A kernel that is
given U, the reading end of a pipe, stops once the other end is closed, however that came, and no run is under way.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Coroutine
from pathlib import Path

import msgspec

from agentos.home import home
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.home import HomeError
from agentos.kernel.cells import walls

MAX_SECRET = 65_536
NO_KERNEL = 5
STACK_BYTES = 8 << 20
Said = dict[str, object]


def harden() -> tuple[walls.Wall, ...]:
    """What every process with a key does first: no core, and no other process looks into its memory."""
    return (
        walls.put_on("no core", lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))),
        walls.put_on("not dumpable", walls.not_dumpable),
    )


def main() -> int:
    harden()
    modest_stacks()
    options = _parser().parse_args()
    for descriptor in (options.ready_fd, options.secret_fd, getattr(options, "until_fd", None)):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    try:
        secret = _secret(options.secret_fd)
        path = Path(os.path.abspath(options.home)) if options.home else home.default_home()
        if options.verb == "serve":
            _serve(path, secret, options)
        else:
            _say(options.ready_fd, _init(path, secret, options) if options.verb == "init" else _where(path))
    except (HomeError, JournalBroken, JournalFull) as error:
        code = error.code if not isinstance(error, JournalFull) else "disk_full"
        _say(options.ready_fd, {"error": {"code": code, "reason": error.reason, "hint": error.hint}})
        return NO_KERNEL
    return 0


def modest_stacks() -> None:
    """Whatever the person's own limit is: each thread of a server counts its whole stack against its memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if not 0 <= soft <= STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.kernel")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("init", "serve", "where"):
        verb = verbs.add_parser(name)
        verb.add_argument("--home", default="")
        verb.add_argument("--ready-fd", type=int)
        verb.add_argument("--secret-fd", type=int)
        if name == "init":
            verb.add_argument("--wrap", choices=("keyring", "passphrase", "key-file"), required=True)
            verb.add_argument("--key-file", type=Path)
        elif name == "serve":
            verb.add_argument("--until-fd", type=int)
            verb.add_argument("--ready-cells", type=int, default=2)
            verb.add_argument("--require-walls", action="store_true")
    return parser


def _secret(descriptor: int | None) -> str:
    # Taken out of the environment, so that nothing we start inherits it.
    secret = os.environ.pop("AGENTOS_PASSPHRASE", "")
    if descriptor is None:
        return secret
    with open(descriptor, "rb") as pipe:
        given = pipe.read(MAX_SECRET)
    try:
        return given.decode().rstrip("\r\n") or secret
    except UnicodeDecodeError:
        raise HomeError("invalid", "the secret is not text", "type it again") from None


def _init(path: Path, secret: str, options: argparse.Namespace) -> Said:
    recovery = home.initialise(path, options.wrap, secret, options.key_file)
    kept = str(options.key_file.resolve()) if options.key_file else ""
    return {"home": str(path), "wrap": options.wrap, "key_file": kept, "recovery": recovery}


def _where(path: Path) -> Said:
    said: Said = msgspec.to_builtins(home.where(path))
    return said


def _serve(path: Path, secret: str, options: argparse.Namespace) -> None:
    opened = home.unlock(path, secret)
    try:
        from agentos.kernel.serve import Options, serve

        # A descriptor of its own: serve closes it when all is well, and ours is still there for what is not.
        told = os.dup(options.ready_fd if options.ready_fd is not None else sys.stdout.fileno())
        _run(serve(opened, Options(told, options.ready_cells, options.require_walls, options.until_fd)))
    finally:
        opened.close()


def _run(serving: Coroutine[None, None, None]) -> None:
    try:
        import uvloop
    except ImportError:  # it has no build for every platform
        import asyncio

        asyncio.run(serving)
    else:
        uvloop.run(serving)


def _say(descriptor: int | None, said: Said) -> None:
    try:
        os.write(sys.stdout.fileno() if descriptor is None else descriptor, msgspec.json.encode(said) + b"\n")
    except BrokenPipeError:
        return


if __name__ == "__main__":
    sys.exit(main())
