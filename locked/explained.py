"""`python -m agentos.locked.explained`: what a program may ask, without a kernel. For the shell.

    explain --request-fd R [--home H] [--secret-fd N] [--ready-fd M]

An ExplainRequest comes over R; secrets come and answers go as `home/process.py` says. What is answered is an
ExplainResponse and a ListCapabilitiesResponse in base64, or why it is no program.

Where there is no home (no --home), nobody has allowed anything, no capability was added, and no secret is set: all of
it follows from the program and from what is installed, and no key is asked for to read a file. Where there is one, how
each line stands (granted, kept, wider than before), which secrets are set, and which actions there are at all, is in
its journal: an answer without that would be another one, and might refuse a program that is right. So the home is
unlocked, read, and let go of; no guest is prepared for that, no server and no cell started, and nothing is recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import sys
import time
from pathlib import Path

from google.protobuf.message import Message

from agentos.home import home, process
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.journal import Journal
from agentos.home.keys import HomeError
from agentos.home.refusal import Refusal
from agentos.home.vault import Vault
from agentos.kernel import views
from agentos.kernel.grants import Standing
from agentos.kernel.ledger import FOLD, Ledger
from agentos.kernel.programs import check_bytes
from agentos.kernel.secrets import Secrets
from agentos.manifest import listed
from agentos.manifest.catalog import installed
from agentos.manifest.reading import program_digest, read
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import ManifestError
from agentos.runs import prompts
from agentos.runs.desk import Desk
from agentos.runs.intake import Intake
from agentos.runs.questions import Questions
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2


def main() -> int:
    options = _parser().parse_args()
    with open(options.request_fd, "rb") as asked:
        request = pb.ExplainRequest.FromString(asked.read())
    try:
        if options.home:
            process.harden()
            secret = process.secret(options.secret_fd)
            program, catalog = asyncio.run(_in_home(Path(os.path.abspath(options.home)), secret, request))
        else:
            program, catalog = _without_home(request)
    except Refusal as refusal:
        process.say(options.ready_fd, {"refused": {"reason": refusal.fault.reason, "hint": refusal.fault.hint}})
    except (HomeError, JournalBroken) as error:
        return process.refuse(options.ready_fd, error.code, error.reason, error.hint)
    except JournalFull as full:
        return process.refuse(options.ready_fd, "disk_full", full.reason, full.hint)
    else:
        known = pb.ListCapabilitiesResponse(capabilities=listed.capabilities(catalog))
        process.say(options.ready_fd, {"told": [_text(pb.ExplainResponse(program=program)), _text(known)]})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentos.locked.explained")
    verb = parser.add_subparsers(dest="verb", required=True).add_parser("explain")
    verb.add_argument("--home", default="")
    verb.add_argument("--request-fd", type=int, required=True)
    for name in ("--ready-fd", "--secret-fd"):
        verb.add_argument(name, type=int)
    return parser


async def _in_home(path: Path, secret: str, request: pb.ExplainRequest) -> tuple[pb.Program, Catalog]:
    """What a kernel on this home would say. Raises what keeps one from starting, and Refusal."""
    held = home.unlock(path, secret)
    try:
        journal = Journal.open(held.database, held.keys.database, held.witness(), (FOLD,))
        vault = Vault.open(held.database, held.keys.database)
        try:
            ledger = Ledger(journal)
            catalog = installed({each.folder: each.digest for each in ledger.folders.values()})
            secrets = Secrets(ledger, vault, catalog, _now_ms)
            questions = Questions(catalog, ledger, Desk(ledger, ledger, catalog, _now_ms), secrets, lambda run: None)
            known = Intake(catalog, ledger).read(request.source, request.start_folder, request.home_folder, "", (0, 0))
            return questions.program(*known), catalog
        finally:
            vault.close()
            await journal.close()
    finally:
        held.close()


def _without_home(request: pb.ExplainRequest) -> tuple[pb.Program, Catalog]:
    """What a kernel on a new home would say. Raises Refusal."""
    source, catalog = request.source, installed({})
    check_bytes(source)
    try:
        manifest = read(
            source.content, source.path, source.manifest, source.manifest_path, catalog, request.start_folder,
            request.home_folder,
        )  # fmt: skip
    except ManifestError as wrong:
        raise Refusal(error_pb2.CODE_INVALID, wrong.placed, wrong.hint, "manifest") from None
    who = Standing("", manifest.name, source.path, program_digest(source.content, source.manifest))
    return views.program(manifest, who, prompts.review_lines(manifest, who, (), (), catalog), catalog), catalog


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _text(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


if __name__ == "__main__":
    sys.exit(main())
