"""A kernel that finds its history altered, while it is at work, stops; the next one does not start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentos.home import chain, home
from agentos.home.journal import Journal
from agentos.kernel.ledger import FOLD, Ledger
from tests.kernel.cases import at, grant
from tests.kernel.person import warm_home

pytestmark = pytest.mark.slow


async def altered(path: Path) -> None:
    """A history of twenty grants and a snapshot; then the third becomes wider."""
    held = home.unlock(path)
    journal = Journal.open(held.database, held.keys.database, held.witness(), (FOLD,))
    ledger = Ledger(journal)
    for number in range(20):
        ledger.record(grant(f"g{number}", "files.read", at(f"/{number}")))
    ledger.keep()
    await journal.close()
    db = chain.connect(held.database, held.keys.database)
    db.execute("UPDATE journal SET body = (SELECT body FROM journal WHERE seq = 4) WHERE seq = 3")
    db.close()
    held.close()


def served(path: Path) -> tuple[int, list[dict[str, object]]]:
    """Serve until it ends by itself; the exit status, and what it said."""
    command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(path), "--ready-cells", "0"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_kernel_that_finds_its_history_altered_stops_and_says_so(tmp_path: Path) -> None:
    path = warm_home(tmp_path)
    asyncio.run(altered(path))
    first, second = served(path), served(path)
    for status, said in (first, second):
        assert status == 5
        error = said[-1]["error"]
        assert isinstance(error, dict)
        assert error["reason"] == "record 3 of the journal is not what was written after record 2"
    assert len(second[1]) == 1, "it did not even start"
