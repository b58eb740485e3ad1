"""What either side reads from the lane: any bytes, in any portions, are the same frames or the same breach."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentos.v1 import lane

numbers = st.integers(0, 2**64 - 1)
parts = st.binary(max_size=30)
names = st.text(min_size=1, max_size=12)
marks = st.binary(min_size=32, max_size=32)
calls = st.builds(lane.call, numbers, marks, names, parts, parts) | st.builds(lane.given_up, numbers)
answers = st.builds(lane.answer, numbers, st.sampled_from([lane.REPLY, lane.ERROR]), parts)


def streams(frames: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(frames | frames | st.binary(max_size=20), max_size=5).map(b"".join)


def heard(stream: bytes, step: int, bounds: tuple[int, int]) -> tuple[list[bytes], bool]:
    """The frames of a stream that comes in portions of this size, and whether it was found to be none."""
    ear, found = lane.Frames(*bounds), list[bytes]()
    for at in range(0, len(stream), step):
        try:
            for frame in ear.feed(stream[at : at + step]):
                found.append(frame)
        except lane.BadFrame:
            return found, True
        assert len(ear._held) < lane.LENGTH_BYTES + bounds[1]
    return found, False


@pytest.mark.parametrize(("bounds", "frames"), [(lane.CALLS, calls), (lane.ANSWERS, answers)], ids=["calls", "answers"])
@given(st.data(), st.integers(1, 40))
def test_a_lane_has_one_reading_however_it_is_cut(
    bounds: tuple[int, int], frames: st.SearchStrategy[bytes], data: st.DataObject, step: int
) -> None:
    stream = data.draw(streams(frames))
    by_byte = heard(stream, 1, bounds)
    for size in (step, len(stream) or 1):
        assert heard(stream, size, bounds) == by_byte
    whole = b"".join(len(frame).to_bytes(4, "big") + frame for frame in by_byte[0])
    assert stream.startswith(whole)
    assert by_byte[1] or len(stream) - len(whole) < lane.LENGTH_BYTES + bounds[1]


@given(st.binary(max_size=80) | calls.map(lambda call: call[4:]))
@example(bytes(8))
@example(bytes(46))
@example(bytes(40) + b"\0\x01\0\0\0\0\xff")
def test_a_call_is_read_in_one_way_or_refused(frame: bytes) -> None:
    try:
        number, mark, method, context, request = lane.read_call(frame)
    except lane.BadFrame:
        return
    again = lane.call(number, mark, method, context, request) if method else lane.given_up(number)
    assert again[lane.LENGTH_BYTES :] == frame


@given(numbers, marks, names, parts, parts)
def test_what_is_called_is_what_is_heard(number: int, mark: bytes, name: str, told: bytes, request: bytes) -> None:
    assert lane.read_call(lane.call(number, mark, name, told, request)[4:]) == (number, mark, name, told, request)


@given(st.binary(min_size=lane.ANSWERS[0], max_size=60))
def test_an_answer_is_read_in_one_way_or_refused(frame: bytes) -> None:
    try:
        said = lane.read_answer(frame)
    except lane.BadFrame:
        return
    assert lane.answer(*said)[lane.LENGTH_BYTES :] == frame
