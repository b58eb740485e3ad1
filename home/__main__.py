"""`python -m agentos.home`: make a home, say where its kernel is, change how it is unlocked, back it up. For the shell.

    init  --home H --wrap keyring|passphrase|key-file [--key-file PATH] [--secret-fd N] [--ready-fd M]
    where --home H [--ready-fd M]
    audit --home H --arguments JSON [--secret-fd N] [--ready-fd M]
    head  --home H [--where | --keep-in PLACE | --not-in PLACE] [--secret-fd N] [--ready-fd M]
    look | accept --home H [--secret-fd N] [--ready-fd M]
    keys  --home H [--change add|remove|passphrase|recovery] [--wrap W] [--key-file PATH] [--number N] [--secret-fd N]
          [--new-fd P] [--ready-fd M]
    backup | restore | contents --home H --file F [--secret-fd N] [--ready-fd M]

Secrets come, and answers go, as `process` says; a new passphrase comes over P. `keys` without a change says which ways
there are. `audit` hands its arguments, a list of texts, to the auditor and says what came of it. `head` says the line
that is kept away from the database, or where else it is kept than in its file; `look` whether the database is another
than it speaks of, `accept` goes on from it. `backup` and `restore` say {"progress": [done, of]} before, a line each
time; `contents` needs no secret.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec

from agentos.home import auditing, backup, home, process, unlocking, ways
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.keys import HomeError
from agentos.home.process import Said

BACKUPS = ("backup", "restore", "contents")
WRAPS = ("keyring", "passphrase", "key-file")


def main() -> int:
    options = _parser().parse_args()
    try:
        process.harden()
        path = Path(os.path.abspath(options.home)) if options.home else home.default_home()
        secret = process.secret(options.secret_fd)
        verbs = {"init": _init, "where": _where, "keys": _keys, "audit": _audit, "head": _head}
        verbs |= {"look": _accept, "accept": _accept, "backup": _backup, "restore": _backup, "contents": _contents}
        process.say(options.ready_fd, verbs[options.verb](path, secret, options))
    except (HomeError, JournalBroken) as error:
        return process.refuse(options.ready_fd, error.code, error.reason, error.hint)
    except JournalFull as full:
        return process.refuse(options.ready_fd, "disk_full", full.reason, full.hint)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.home")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("init", "where", "keys", "audit", "head", "look", "accept", *BACKUPS):
        verb = verbs.add_parser(name)
        verb.add_argument("--home", default="")
        verb.add_argument("--ready-fd", type=int)
        verb.add_argument("--secret-fd", type=int)
        if name == "audit":
            verb.add_argument("--arguments", type=msgspec.json.Decoder(list[str]).decode, required=True)
        if name == "head":
            verb.add_argument("--where", action="store_true")
            verb.add_argument("--keep-in", default="")
            verb.add_argument("--not-in", default="")
        if name in BACKUPS:
            verb.add_argument("--file", type=Path, required=True)
        if name in ("init", "keys"):
            verb.add_argument("--wrap", choices=WRAPS, required=name == "init")
            verb.add_argument("--key-file", type=Path)
        if name == "keys":
            verb.add_argument("--change", choices=("add", "remove", "passphrase", "recovery"))
            verb.add_argument("--number", type=int, default=0)
            verb.add_argument("--new-fd", type=int)
    return parser


def _init(path: Path, secret: str, options: argparse.Namespace) -> Said:
    recovery = home.initialise(path, options.wrap, secret, options.key_file)
    kept = str(options.key_file.resolve()) if options.key_file else ""
    return {"home": str(path), "wrap": options.wrap, "key_file": kept, "recovery": recovery}


def _where(path: Path, secret: str, options: argparse.Namespace) -> Said:
    said: Said = msgspec.to_builtins(home.where(path))
    return said


def _audit(path: Path, secret: str, options: argparse.Namespace) -> Said:
    status, output = auditing.audited(path, secret, options.arguments)
    return {"status": status, "output": output}


def _head(path: Path, secret: str, options: argparse.Namespace) -> Said:
    if options.keep_in:
        auditing.keep_in(path, secret, options.keep_in)
    if options.not_in:
        auditing.not_in(path, secret, options.not_in)
    if options.keep_in or options.not_in or options.where:
        return {"home": str(path), "kept": msgspec.to_builtins(auditing.kept(path, secret))}
    return {"home": str(path), "head": auditing.head(path)}


def _accept(path: Path, secret: str, options: argparse.Namespace) -> Said:
    accepted = auditing.accept(path, secret, options.verb == "accept")
    return {"home": str(path), "seen": msgspec.to_builtins(accepted)}


def _backup(path: Path, secret: str, options: argparse.Namespace) -> Said:
    step = backup.backup if options.verb == "backup" else backup.restore
    return _taken(path, step(path, secret, options.file, process.progress(options.ready_fd)), options.file)


def _contents(path: Path, secret: str, options: argparse.Namespace) -> Said:
    return _taken(path, backup.contents(options.file), options.file)


def _taken(path: Path, found: backup.Contents, file: Path) -> Said:
    locks = [slot.kind for slot in found.unlock.slots]
    return {"home": str(path), "file": os.path.abspath(file), "at_ms": found.at_ms, "seq": found.seq, "locks": locks}


def _keys(path: Path, secret: str, options: argparse.Namespace) -> Said:
    recovery = ""
    if options.change:
        with ways.changing(path, secret) as change:
            if options.change == "add":
                change.add(options.wrap or "", process.told(options.new_fd), options.key_file)
            elif options.change == "remove":
                change.remove(options.number)
            elif options.change == "passphrase":
                change.passphrase(process.told(options.new_fd))
            else:
                recovery = change.recovery()
    slots = unlocking.read(path).slots
    listed = [{"number": at, "kind": slot.kind, "path": slot.path} for at, slot in enumerate(slots, 1)]
    return {"home": str(path), "ways": listed, "recovery": recovery}


if __name__ == "__main__":
    sys.exit(main())
