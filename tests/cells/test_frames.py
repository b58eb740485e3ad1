"""Frames, with no process at all: what is understood, and what costs a cell its life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.kernel.cells.frames import MAX_BODY, BadFrame, Conversation, pack


def hear(kinds: bytes, *portions: bytes) -> tuple[bytes, bytes] | None:
    conversation = Conversation()
    conversation.expect(kinds)
    found = None
    for portion in portions:
        found = conversation.feed(portion)
    return found


@given(st.sampled_from([b"I", b"E", b"T"]), st.binary(max_size=200), st.data())
def test_a_frame_is_understood_in_whatever_portions_it_comes(kind: bytes, body: bytes, data: st.DataObject) -> None:
    frame = pack(kind, body)
    cut = data.draw(st.integers(0, len(frame)))
    assert hear(b"IET", *(portion for portion in (frame[:cut], frame[cut:]) if portion)) == (kind, body)


@given(st.binary(min_size=5, max_size=64))
def test_any_other_bytes_are_a_breach_or_not_yet_a_frame(noise: bytes) -> None:
    try:
        found = hear(b"IET", noise)
    except BadFrame:
        return
    assert found is None or pack(*found) == noise


@pytest.mark.parametrize(
    "portion",
    [
        pytest.param(b"\0\0\0\0I", id="no length"),
        pytest.param((MAX_BODY + 2).to_bytes(4, "big") + b"I", id="more than 8 MiB"),
        pytest.param(b"\xff\xff\xff\xffI", id="4 GiB"),
        pytest.param(pack(b"W", b""), id="waits twice"),
        pytest.param(pack(b"R", b"{}"), id="answers itself"),
        pytest.param(pack(b"Z", b""), id="no such kind"),
        pytest.param(pack(b"E", b"{}\n") * 2, id="two results"),
        pytest.param(pack(b"I", b"{}") * 2, id="asks before it is answered"),
        pytest.param(pack(b"E", b"{}\n") + b"\0", id="one byte more"),
    ],
)
def test_a_breach_is_seen_at_once(portion: bytes) -> None:
    with pytest.raises(BadFrame):
        hear(b"IET", portion)


def test_nothing_may_come_when_it_is_not_the_cells_turn() -> None:
    conversation = Conversation()
    conversation.expect(b"I")
    assert conversation.feed(pack(b"I", b"{}")) == (b"I", b"{}")
    with pytest.raises(BadFrame):
        conversation.feed(pack(b"I", b"{}"))


def test_a_body_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(BadFrame):
        pack(b"R", bytes(MAX_BODY + 1))
