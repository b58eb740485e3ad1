"""A home's database with a history that has everything in it, and its keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos.home.heads import Witness
from agentos.home.journal import Journal
from agentos.home.places import File
from agentos.kernel.ledger import FOLD, Ledger
from tests.home.witnessed import KEY, Place, signer
from tests.kernel.test_forgetting import lived


def opened(place: Place) -> Journal:
    return Journal.open(place.path, KEY, Witness(signer(), File(place.head)), (FOLD,))


async def more(place: Place, *, keep: bool = False) -> None:
    """Another start, and one more record."""
    from agentos.home.history import CapabilityAdded

    journal = opened(place)
    ledger = Ledger(journal)
    await ledger.durable(ledger.record(CapabilityAdded("/srv/owls", "owls", "d")))
    if keep:
        ledger.keep()
    await journal.close()


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    journal = opened(made)
    ledger = Ledger(journal)
    lived(ledger)
    await ledger.durable(ledger.forget("r1"))
    await journal.close()
    await more(made)
    return made
