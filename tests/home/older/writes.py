"""Run with the source of another version, whichever: makes a home in a folder, with one of everything it could record.

It knows no version. Which records there are is asked of that version, and each is made of the fields that it has then;
what it knows in the end is written down in plain words, for today's code to be held against.
"""

import asyncio
import importlib
import inspect
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

# Today's code is installed beside: not a module of it is to be taken for one that this version does not have yet.
sys.path[:] = [each for each in sys.path if not each.endswith("/dev") or each == os.environ["PYTHONPATH"]]

import msgspec  # noqa: E402

from agentos.home import home, journal  # noqa: E402
from agentos.kernel import ledger as ledgers  # noqa: E402

FOLDER = Path(sys.argv[1])
WHERE, NOW = "/home/me/owls.py", 1_790_000_000_000
RULE = json.dumps({"event": "event.report"})
DONE, ALLOWED, VERSION, FOR_RUN = 2, 1, 6, 4  # of control.proto: RunStatus, CallDecision, Choice
KNOWN = {
    "digest": "d" * 64, "path": WHERE, "name": "owls", "content": b"print(1)", "manifest": b"", "program": "owls",
    "start_folder": "/home/me", "home_folder": "/home/me", "arguments": ("--for", "Ada"), "input": '"an input"',
    "queued_us": 1, "component": "c", "code": "k", "minted_ms": NOW, "at_ms": NOW, "decision": ALLOWED, "took_us": 7,
    "args": '{"path": "/x/a"}', "targets": (("path", "/x/a"),), "bounds": (("path", ("/x/**",)),), "status": DONE,
    "result": '"the result"', "output": "printed", "output_cut": False, "calls": 2, "refused": 0, "cell_us": 1,
    "first_line_us": 2, "ended_us": 3, "folder": "/srv/owls", "places": ("api.example.com",), "header": "Authorization",
    "form": "Bearer {}", "manifest_path": "", "triggers": (("t1", RULE),), "until_ms": NOW, "state": '"so far"',
    "prompt": "p1", "decisions": ((1, 1),), "action": "files.write", "trigger": "t1", "event": "e1", "on": True,
}  # fmt: skip


def kinds() -> dict[str, Any]:
    """The records of this version by their class's name, wherever it keeps them."""
    found: dict[str, Any] = {}
    for name in ("agentos.kernel.records", "agentos.kernel.history", "agentos.home.records", "agentos.home.history",
                 "agentos.home.happenings"):  # fmt: skip
        try:
            found |= vars(importlib.import_module(name))
        except ModuleNotFoundError:
            continue
    return found


KINDS = kinds()


def made(kind: str, **more: Any) -> list[Any]:
    """A record of this kind, of what this version asks for; nothing where it has no such records."""
    cls = KINDS.get(kind)
    if cls is None:
        return []
    required = cls.__struct_fields__[: len(cls.__struct_fields__) - len(cls.__struct_defaults__)]
    given = {name: value for name, value in (KNOWN | more).items() if name in required or name in more}
    return [cls(**{name: value for name, value in given.items() if name in cls.__struct_fields__})]


def terms(choice: int) -> Any:
    return KINDS["Terms"](choice)


def lived(ledger: Any) -> None:
    """Two runs: r1 is over, r2 goes on. What a version does not know of yet is left out."""
    grants = made("Grant", id="g1", run="r1", action="files.write", terms=terms(VERSION)) + made(
        "Grant", id="g2", run="r1", action="files.read", terms=terms(FOR_RUN), uses=3
    )
    units = [
        made("ProgramSeen"), made("RunBegan", run="r1") + made("Pinned", run="r1") + made("PromptAnswered", run="r1"),
        grants, made("Denial", id="d1", run="r1", action="net.fetch"),
        *(made("CallMade", run="r1", seq=seq, grant="g1") for seq in (1, 2)), made("CallSettled", run="r1", seq=1),
        made("CallSettled", run="r1", seq=2, released=True), made("CallMade", run="r1", seq=3, grant="g2"),
        made("CallSettled", run="r1", seq=3, value='"what was read"'), made("RunEnded", run="r1"),
        made("CapabilityAdded", name="owls"),
        made("Grant", id="g3", run="", action="files.write", terms=terms(VERSION)), made("Revoked", ids=("g3",)),
        made("SecretSet", name="github", key="a key"), made("SecretSet", name="old", key="o"),
        made("SecretRemoved", name="old"), made("RunBegan", run="r2"), made("CallMade", run="r2", seq=1, grant="g1"),
        made("CallUnknown", run="r2", seq=1), made("CallAgain", run="r2", seq=1), made("RunParked", run="r2"),
        made("Armed"), made("Happened", run="e1", name="event.report", data='{"n": 1}', to=("t1",)),
        made("Happened", run="e2", name="event.report", data='{"n": 2}', to=("t1",)),
        made("RunBegan", run="r3", event="e1") + made("Delivered", run="r3") if "Delivered" in KINDS else [],
        made("Switched", name="t1", on=False), made("RunContinued", run="r2", generation=2, seq=1),
        made("RunBegan", run="r2.1", above=(WHERE,), within=()) if "above" in fields("RunBegan") else [],
        made("Listens", run="r2", names=("event.report",)), made("Heard", run="r2", event="e2", seq=2, place=1),
    ]  # fmt: skip
    for unit in units:
        if unit:
            ledger.record(*unit)


def fields(kind: str) -> tuple[str, ...]:
    found: tuple[str, ...] = KINDS[kind].__struct_fields__
    return found


async def main() -> None:
    home.initialise(FOLDER / "home", "key-file", key_file=FOLDER / "key")
    held: Any = home.unlock(FOLDER / "home")
    witnessed = hasattr(held, "witness")
    more: Any = (held.witness(), (ledgers.FOLD,)) if witnessed else ()
    opened: Any = journal.Journal.open(held.database, held.keys.database, *more)
    ledger: Any = ledgers.Ledger(opened)
    lived(ledger)
    if hasattr(ledger, "forget"):
        ledger.record(*made("RunBegan", run="r9"))
        ledger.record(*made("CallMade", run="r9", seq=1, grant="g1"), *made("CallSettled", run="r9", seq=1))
        ledger.record(*made("RunEnded", run="r9"))
        ledger.forget("r9")
    if hasattr(ledger, "keep"):
        ledger.keep()
    ledger.record(*made("CapabilityRemoved", name="owls"))  # after the snapshot
    await opened.durable(opened.head if isinstance(opened.head, int) else opened.head[0])
    decode = KINDS.get("decode") or msgspec.msgpack.Decoder(KINDS["Record"]).decode
    known: dict[str, Any] = {
        "records": [
            [entry.seq, entry.kind, entry.run, entry.at_ms, msgspec.to_builtins(decode(entry.body))]
            for entry in opened.entries()
        ],
        "held": {name: [held.uses, bool(held.revoked)] for name, held in ledger.table.held.items()},
        "vault": "",
    }  # fmt: skip
    closing = opened.close()
    if inspect.isawaitable(closing):
        await closing
    try:
        from agentos.home.vault import Vault
    except ImportError:
        pass
    else:
        vault = Vault.open(held.database, held.keys.database)
        known["vault"] = vault.put(b"the value of a secret")
        vault.close()
    held.close()
    (FOLDER / "home" / "known.json").write_text(json.dumps(known))
    shutil.move(FOLDER / "key", FOLDER / "home" / "key")


asyncio.run(main())
for head in Path(os.environ["AGENTOS_STATE"]).glob("*/head"):
    shutil.copy(head, FOLDER / "home" / "head")
