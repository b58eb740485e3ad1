"""What was allowed, when, and by whose answer, in words; and the reader under it."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.audit import msgpack, story
from agentos.audit.format import Database
from tests.audit.conftest import opened
from tests.home.witnessed import KEY, Place, signer


def told(place: Place, *kinds: str, since: str = "", program: str = "") -> list[str]:
    database = Database(place.path, KEY, signer().public)
    return [each.text for each in story.told(database, story.moment(since), program, kinds)]


async def test_each_grant_says_what_for_how_long_and_by_which_answer(place: Place) -> None:
    said = told(place)
    assert (
        "you allowed files.write where path = /x/**, while this version lives (g1, by your answer to question p1"
        in (said[0])
    )
    assert "you allowed files.read where path = /y, until its run ends" in said[1]
    assert said[2] == "you said never to net.fetch (d1, by your answer to question p1 in r1)"
    assert said[3:5] == ["you set the secret github, for no place", "you removed the secret github"]
    assert "derived from g1" in said[5]
    assert said[6] == "you took back d1 net.fetch"
    assert said[7] == "you added the capability owls, from /srv/owls"


async def test_it_is_chosen_by_kind_by_time_and_by_program(place: Place) -> None:
    assert told(place, "runs") == ["r2 began: /home/me/work/links.py, version d1", *told(place, "runs")[1:]]
    assert any("erased" in each for each in told(place, "runs"))
    assert told(place, "grants", since="1h") == told(place, "grants")
    assert told(place, since=time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 60))) == []
    assert told(place, "grants", program="nobody") == []
    assert [each.split(" ")[1] for each in told(place, "grants", program="links")] == ["allowed"] * 3
    assert [each.split(" ")[1] for each in told(place, "grants", program="prog")] == ["said", "took"]
    assert len(told(place, "grants", program="/home/me/work/links.py")) == 5


@pytest.mark.parametrize("since", ["yesterday", "3y", "-1d", "٣d", "2026-13-01"])
def test_a_time_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        story.moment(since)


async def test_nothing_hidden_in_a_record_moves_the_cursor(place: Place) -> None:
    from agentos.home.history import CapabilityAdded
    from agentos.kernel.ledger import Ledger

    journal = opened(place)
    Ledger(journal).record(CapabilityAdded("/srv/\x1b[2J\u202e\nyou allowed", "owls", "d"))
    await journal.close()
    assert told(place, "capabilities")[-1] == "you added the capability owls, from /srv/\\x1b[2J\\u202e\\nyou allowed"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | st.text()
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20).map(tuple) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=60,
)  # fmt: skip


@given(VALUES)
def test_what_one_wrote_the_other_reads(value: object) -> None:
    assert msgpack.decoded(msgspec.msgpack.encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        msgpack.decoded(raw)
    except ValueError:
        return
