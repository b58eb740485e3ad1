"""What the kernel reads of a guest: its component, its frames, its requests, its end. Any bytes are understood in one
way or refused in one way, at once."""

from __future__ import annotations

import asyncio
import json
import string
import time
from contextlib import suppress

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from agentos.kernel import canonical, wire
from agentos.kernel.call import read, redacted
from agentos.kernel.cells.frames import HEAD_BYTES, MAX_BODY, BadFrame, Conversation, pack
from agentos.kernel.cells.images import BadComponent, compile_component
from agentos.kernel.cells.pool import Ending
from agentos.kernel.cells.runtime import reached_by
from agentos.manifest.rules import Catalog
from agentos.runs import outcome
from agentos.v1 import control_pb2 as pb
from tests.authority.letters import HOME, START
from tests.cells.components import component
from tests.kernel.test_wire import HOSTILE

# ---- frames

frames_ = st.builds(pack, st.sampled_from([b"W", b"I", b"E", b"T", b"R", b"Z"]), st.binary(max_size=40))
streams = st.lists(st.one_of(frames_, frames_, st.binary(max_size=12)), max_size=4).map(b"".join)


def heard(stream: bytes, step: int) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The frames that come out of a stream in portions of this size, and whether it was cut off as a breach."""
    conversation, found = Conversation(), list[tuple[bytes, bytes]]()
    for at in range(0, len(stream), step):
        try:
            frame = conversation.feed(stream[at : at + step])
        except BadFrame:
            return found, True
        if frame is not None:
            found.append(frame)
            conversation.expect(b"IET")
        assert len(conversation._held) <= HEAD_BYTES + MAX_BODY
    return found, False


@given(streams, st.integers(1, 9))
@example(pack(b"W", b"") + pack(b"I", b"{}"), 3)
@example(b"\0\0\0\1W\0\0\0\1W", 1)
def test_a_stream_of_frames_has_one_reading_however_it_is_cut(stream: bytes, step: int) -> None:
    by_byte, breach = heard(stream, 1)
    for size in (step, len(stream) or 1):
        found, cut_off = heard(stream, size)
        # In larger portions a breach is seen with the frame before it, never later, and no other frame comes out.
        assert found == by_byte[: len(found)]
        assert cut_off or (found, cut_off) == (by_byte, breach)
    assert b"".join(pack(*frame) for frame in by_byte) == stream[: sum(len(body) + HEAD_BYTES for _, body in by_byte)]


# ---- requests

letters = st.text(string.printable + "é\u202e\0\U0001f600", max_size=12)
numbers = st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | letters, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        letters | st.sampled_from(["path", "offset", "text", "data", "@type"]), inner, max_size=3), max_leaves=8,
)  # fmt: skip
actions = st.sampled_from(["files.read", "files.write", "files.move", "clock.now", "random.bytes", "no.such", ""])
fields = st.sampled_from(["path", "to", "text", "data", "offset", "as_text", "create_only", "count", "asText", "x"])
paths_ = st.sampled_from(["/a", "notes/b", "~/c", "/a/../b", "", ".", "/proc/x"])
claims = st.builds(
    lambda action, args, line: {"action": action, "args": args, "line": line}, actions,
    st.dictionaries(fields, values | paths_, max_size=4), st.integers(-5, 1 << 65) | st.none(),
)  # fmt: skip
batches = st.fixed_dictionaries({}, optional={
    "calls": st.lists(claims, max_size=3) | values, "out": st.lists(st.tuples(st.integers(0, 3), letters)) | values,
})  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> str:
    """JSON that is nearly a request, with a piece of it perhaps put elsewhere."""
    text = json.dumps(draw(batches | values), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        at, to, until = (draw(st.integers(0, len(text))) for _ in range(3))
        text = text[:at] + draw(st.sampled_from(["", " ", '"', "\\u0000", "1e999", "NaN", text[to:until]])) + text[at:]
    return text


def as_json(text: str) -> object:
    return msgspec.json.decode(text, type=wire.Batch)


@given(requests() | st.text(max_size=60))
@example('{"calls":[{"action":"clock.now","args":{},"line":1e2}]}')
@example('{"out":[[1,"x"]]}  ')
def test_a_request_is_read_as_another_reader_of_json_reads_it(text: str) -> None:
    began = time.process_time()
    try:
        batch = wire.read(text)
    except wire.BadRequest as bad:
        assert bad.fault.reason.isascii()
        assert len(bad.fault.reason) < 200
        return
    finally:
        assert time.process_time() - began < 1
    assert len(batch.calls) <= wire.MAX_CALLS
    with suppress(msgspec.MsgspecError):  # that reader is stricter with numbers
        assert as_json(text) == batch


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_was_found_to_be_hostile_stays_refused(text: str) -> None:
    with pytest.raises(wire.BadRequest):
        wire.read(text)


@given(claims)
def test_a_call_read_again_from_its_own_record_is_the_same_call(catalog: Catalog, claim: dict[str, object]) -> None:
    try:
        one = msgspec.convert(claim, wire.Claim)
        made = read(one, "r1", 1, catalog, START, HOME)
    except (wire.BadRequest, msgspec.ValidationError):
        return
    again = json_format.MessageToDict(made.request, preserving_proto_field_name=True)
    remade = read(wire.Claim(one.action, again), "r1", 1, catalog, "/elsewhere", "/nowhere")
    assert (remade.digest, remade.targets, remade.amounts) == (made.digest, made.targets, made.amounts)
    assert canonical.encode(remade.request) == canonical.encode(made.request)
    json.loads(redacted(made.request, frozenset(field.field for field in made.rule.fields if field.content)))


# ---- how it ends

ends = st.fixed_dictionaries({}, optional={
    "status": st.sampled_from(["done", "failed", "refused", "limit", "granted", ""]) | values, "result": values,
    "out": values, "error": st.dictionaries(st.sampled_from(["code", "reason", "hint", "detail"]), letters) | values,
    "traceback": values,
}).map(json.dumps)  # fmt: skip


@given(st.sampled_from(["returned", "trapped", "cpu", "killed", "broke"]), ends | st.text(max_size=40), st.just(""))
def test_whatever_a_guest_says_at_its_end_is_one_of_six_ends(how: str, reply: str, stopped: str) -> None:
    status, fault, end = outcome.of(msgspec.convert({"how": how, "reply": reply}, Ending), stopped)
    assert status in pb.RunStatus.values()
    assert (fault is None) == (status == pb.RUN_STATUS_DONE)
    assert status != pb.RUN_STATUS_DONE or json.loads(bytes(end.result) or b"null") is not NotImplemented
    assert fault is None or len(fault.reason) <= 2000


@given(st.text(max_size=200) | st.from_regex(r"\A( +\d+: +0x[0-9a-f]+ - ?\S{0,20}![a-z_<> ]{0,60}\n){1,4}wasm trap.*"))
@example("error while executing\n    0: 0x1 - libc.so!exit_" + "a" * 90 + "\n`unreachable`")
def test_nothing_of_a_trap_is_told_but_what_is_in_our_own_table(trap: str) -> None:
    told = reached_by(trap + "`unreachable`")
    assert told in ("", "stack") or told.startswith("wasi:")
    assert set(told) <= set(string.ascii_lowercase + string.digits + ":/#-")


# ---- components

SEED = component("echo")
changes = st.lists(st.tuples(st.integers(8, len(SEED) - 1), st.integers(0, 255)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=max(8, settings().max_examples // 100))
@given(changes, st.integers(9, len(SEED)))
@example([(8, 0)], len(SEED))
def test_a_component_is_compiled_or_refused_in_our_own_words(changed: list[tuple[int, int]], length: int) -> None:
    content = bytearray(SEED)
    for at, byte in changed:
        content[at] = byte
    assume(content != SEED)
    began = time.monotonic()
    try:
        asyncio.run(compile_component(bytes(content[:length]), own=False))
    except BadComponent as bad:
        assert bad.reason.isascii()
        assert not any(word in bad.reason for word in ("wasmtime", "Traceback", "offset", ".py", ".rs"))
    assert time.monotonic() - began < 20
