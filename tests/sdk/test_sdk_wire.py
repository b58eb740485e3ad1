"""The wire of a guest: what is sent, when, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentos.sdk import Denied, Invalid, LimitExceeded, Unavailable, wire


class Kernel:
    """Keeps what it is asked and answers in turn."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []

    def __call__(self, request: str) -> str:
        self.asked.append(json.loads(request))
        calls = self.asked[-1]["calls"]
        return json.dumps(self.replies.pop(0) if self.replies else {"results": [{"value": {}} for _ in calls]})


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    before = wire.connect(kernel)
    yield kernel
    wire.take_printed()
    wire.connect(before)


def test_a_call_returns_its_value(kernel: Kernel) -> None:
    kernel.replies = [{"results": [{"value": {"size": "12"}}]}]
    assert wire.call("files.read", {"path": "a.md"}) == {"size": "12"}
    assert kernel.asked == [{"calls": [{"action": "files.read", "args": {"path": "a.md"}, "line": 0}]}]


def test_an_error_is_raised_with_its_next_step(kernel: Kernel) -> None:
    kernel.replies = [{"results": [{"error": {"code": "denied", "reason": "outside", "hint": "add a line"}}]}]
    with pytest.raises(Denied, match="outside; add a line"):
        wire.call("files.read", {"path": "a.md"})


def test_gathered_calls_go_in_one_request_and_each_slot_has_its_own_outcome(kernel: Kernel) -> None:
    kernel.replies = [{"results": [{"value": {"size": 1}}, {"error": {"code": "limit", "reason": "enough"}}]}]
    first, second = wire.gather([("files.read", {"path": "a"}), ("files.read", {"path": "b"})])
    assert first == {"size": 1}
    assert isinstance(second, LimitExceeded)
    assert len(kernel.asked) == 1


def test_gathering_nothing_asks_nothing(kernel: Kernel) -> None:
    assert wire.gather([]) == []
    assert kernel.asked == []


def test_a_request_refused_as_a_whole_raises(kernel: Kernel) -> None:
    kernel.replies = [{"error": {"code": "limit", "reason": "1000 calls are used up"}}]
    with pytest.raises(LimitExceeded):
        wire.gather([("files.read", {"path": "a"})])


def test_what_is_printed_rides_along_with_the_next_call_in_order(kernel: Kernel) -> None:
    for stream, text in ((1, "one"), (1, "\n"), (2, "oh"), (1, "two\n")):
        wire.printed(stream, text)
    assert kernel.asked == []
    wire.call("clock.now", {})
    wire.call("clock.now", {})
    assert kernel.asked[0]["out"] == [[1, "one\n"], [2, "oh"], [1, "two\n"]]
    assert "out" not in kernel.asked[1]


def test_much_of_it_is_sent_without_a_call(kernel: Kernel) -> None:
    for _ in range(200):
        wire.printed(1, "x" * 99 + "\n")
    sent = "".join(text for asked in kernel.asked for _, text in asked["out"])
    rest = "".join(str(text) for _, text in wire.take_printed())
    assert len(sent) == 16_400
    assert sent + rest == ("x" * 99 + "\n") * 200
    assert wire.take_printed() == []


def test_a_flood_of_text_goes_in_pieces_that_fit_a_frame(kernel: Kernel) -> None:
    flood = "\x01" * 3_000_000
    wire.printed(1, flood)
    wire.flush()
    assert "".join(text for asked in kernel.asked for _, text in asked["out"]) == flood
    assert all(len(json.dumps(asked)) < 1024 * 1024 for asked in kernel.asked)


def test_half_a_surrogate_pair_is_printed_escaped_and_refused_as_an_argument(kernel: Kernel) -> None:
    wire.printed(1, "a\udc80b")
    with pytest.raises(Invalid, match="not text"):
        wire.call("files.read", {"path": "a\udc80b"})
    wire.flush()
    assert kernel.asked == [{"out": [[1, "a\\udc80b"]], "calls": []}]


def test_a_call_that_no_frame_could_carry_is_refused_before_it_is_sent(kernel: Kernel) -> None:
    with pytest.raises(Invalid) as caught:
        wire.call("files.write", {"path": "a", "text": "é" * 4_000_000})
    assert caught.value.detail == "too_large"
    assert kernel.asked == []


def test_a_call_names_the_line_of_the_program_that_makes_it(kernel: Kernel) -> None:
    source = "from agentos.sdk import files\n\ndef deep():\n    files.stat('a')\n\ndeep()\n"
    wire.program("links.py")
    exec(compile(source, "links.py", "exec"), {})  # noqa: S102
    wire.program("")
    assert kernel.asked[0]["calls"][0]["line"] == 4


def test_without_a_kernel_it_says_how_to_get_one() -> None:
    with pytest.raises(Unavailable, match="agentos run"):
        wire.call("clock.now", {})
