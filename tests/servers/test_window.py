"""The seal and the window of nonces, as functions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentos.v1 import seal

CALL = st.tuples(st.text(max_size=9), st.binary(max_size=9), st.binary(max_size=9))


@given(st.lists(st.integers(0, 3 * seal.WIDTH), max_size=60))
def test_a_window_admits_each_number_at_most_once(counts: list[int]) -> None:
    window, admitted, newest = seal.Window(), set(), 0
    for count in counts:
        fresh = window.admits(seal.nonce(count))
        newest = max(newest, count)
        assert fresh == (count > 0 and count not in admitted and newest - count < seal.WIDTH)
        admitted |= {count} if fresh else set()


def test_a_nonce_of_another_size_is_refused() -> None:
    assert not seal.Window().admits(b"")
    assert not seal.Window().admits(bytes(7) + b"\x01\x00")


@given(CALL, CALL)
def test_different_calls_have_different_seals(one: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]) -> None:
    key = bytes(range(32))
    assert (seal.seal(key, *one) == seal.seal(key, *other)) == (one == other)
