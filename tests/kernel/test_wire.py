"""What a guest sends is hostile JSON: it has one reading, or it is refused in words of our own."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from google.protobuf import descriptor_pb2, json_format
from hypothesis import given
from hypothesis import strategies as st

from agentos.home.records import Fault
from agentos.kernel import canonical, wire
from agentos.kernel.call import redacted
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2, error_pb2
from agentos.v1.plain import filled
from tests.kernel.cases import call

INVALID = error_pb2.CODE_INVALID
HOSTILE = {
    "nothing": "",
    "not JSON": "{",
    "a number": "1",
    "a list": "[]",
    "a key twice": '{"calls":[],"calls":[]}',
    "a key twice within": '{"calls":[{"action":"files.read","args":{"path":"/a","path":"/b"}}]}',
    "a key twice by escapes": '{"calls":[{"action":"files.read","args":{"path":"/a","p\\u0061th":"/b"}}]}',
    "NaN": '{"calls":[{"action":"files.read","args":{"offset":NaN}}]}',
    "infinity": '{"calls":[{"action":"files.read","args":{"offset":-Infinity}}]}',
    "nested deep": '{"calls":' + "[" * 100_000,
    "nested deep and closed": '{"out":' + "[" * 50_000 + "]" * 50_000 + "}",
    "half a character": '{"out":[[1,"\ud800"]]}',
    "calls that are no list": '{"calls":{}}',
    "args that are no table": '{"calls":[{"action":"files.read","args":[]}]}',
    "a call without an action": '{"calls":[{"args":{}}]}',
    "a line that is none": '{"calls":[{"action":"clock.now","args":{},"line":"x"}]}',
    "an int of many digits": '{"calls":[{"action":"clock.now","args":{},"line":' + "9" * 5000 + "}]}",
    "a field that no guest sends": '{"calls":[],"grant":"g1"}',
    "a field that no call has": '{"calls":[{"action":"clock.now","args":{},"grant":"g1"}]}',
    "many calls": json.dumps({"calls": [{"action": "clock.now", "args": {}}] * 65}),
    "much output": json.dumps({"out": [[1, "x"]] * 257}),
}

TWICE, DEEP, MANY = (
    "the request names a key twice", "the request is nested too deep", "more than 64 calls in one request"
)  # fmt: skip
WORDS = {
    "a key twice": TWICE, "a key twice within": TWICE, "a key twice by escapes": TWICE, "NaN": "NaN is not JSON",
    "infinity": "-Infinity is not JSON", "nested deep": DEEP, "nested deep and closed": DEEP, "many calls": MANY,
    "much output": MANY,
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_request_is_refused(what: str) -> None:
    with pytest.raises(wire.BadRequest) as refused:
        wire.read(HOSTILE[what])
    assert refused.value.fault == Fault(
        INVALID,
        WORDS.get(what, "the request is not of the form that guests send"),
        "make them in several requests" if WORDS.get(what) == MANY else "",
    )


def test_a_request_may_make_64_calls_and_print_256_times() -> None:
    asked = {"calls": [{"action": "clock.now", "args": {}}] * 64, "out": [[1, "x"]] * 256}
    assert wire.read(json.dumps(asked)) == wire.Batch(((1, "x"),) * 256, (wire.Claim("clock.now", {}, 0),) * 64)
    assert wire.read("{}") == wire.Batch((), ())


@given(st.text())
def test_no_text_at_all_raises_anything_else(text: str) -> None:
    with suppress(wire.BadRequest):
        wire.read(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
       | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_no_argument_at_all_raises_anything_else(catalog: Catalog, value: object) -> None:
    for name in ("path", "offset", "as_text", "no_such"):
        with suppress(wire.BadRequest):
            call(catalog, "files.read", **({"path": "/a"} | {name: value}))


@pytest.mark.parametrize(
    "args",
    [
        {"path": "/a", "unknown": 1},
        {"path": "/a", "offset": 1 << 63},
        {"path": "/a", "offset": "1e3x"},
        {"path": "/a", "offset": 1.5},
        {"path": "/a", "as_text": "true"},
        {"path": "/a\ud800"},
        {"path": ["/a"]},
        {"path": None},
        {"path": ""},
        {"path": "/a/../b"},
        {"path": "/a\0"},
        {},
    ],
)
def test_an_argument_that_does_not_fit_is_refused(catalog: Catalog, args: dict[str, object]) -> None:
    with pytest.raises(wire.BadRequest):
        call(catalog, "files.read", **args)


@pytest.mark.parametrize("data", ["eA", "eA==\n", "e A==", "eA==x", "é", "eA==" * 2, "-_-_", 5, ["eA=="]])
def test_bytes_are_written_in_one_way(catalog: Catalog, data: object) -> None:
    assert call(catalog, "files.write", path="/a", data="+/+/eA==").digest
    with pytest.raises(wire.BadRequest):
        call(catalog, "files.write", path="/a", data=data)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**65), 2**65), st.floats(), st.text(), st.just("\ud800"),
    st.sampled_from(["/a", "~", "1", "-1", "true", "AA=="]), st.lists(st.text(max_size=3), max_size=2),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["path", "offset", "length", "if_version", "as_text"]), VALUES))
def test_arguments_are_read_just_as_the_library_reads_them(catalog: Catalog, args: dict[str, object]) -> None:
    rule = catalog.actions["files.read"]
    ours, theirs = rule.request(), rule.request()
    with suppress(ValueError):
        if not filled(ours, args):
            return
        json_format.ParseDict(args, theirs)
        assert ours == theirs


def test_a_64_bit_number_is_one_as_text_too(catalog: Catalog) -> None:
    as_text = call(catalog, "files.read", path="/a", offset="9007199254740993")
    as_number = call(catalog, "files.read", path="/a", offset=9007199254740993)
    assert as_text.digest == as_number.digest


def refused(catalog: Catalog, action: str, args: dict[str, object]) -> Fault:
    with pytest.raises(wire.BadRequest) as said:
        call(catalog, action, **args)
    assert str(said.value) == said.value.fault.reason
    return said.value.fault


def test_an_unknown_action_is_answered_with_the_nearest(catalog: Catalog) -> None:
    assert refused(catalog, "files.reed", {"path": "/a"}).hint == "did you mean files.read?"


def test_what_does_not_fit_is_named(catalog: Catalog) -> None:
    fields = ", ".join(catalog.actions["files.read"].request.DESCRIPTOR.fields_by_name)
    wrong: list[tuple[dict[str, object], Fault]] = [
        ({"path": "/a", "x": 1}, Fault(INVALID, "files.read has no field of that name", f"it has: {fields}")),
        ({"path": "/a", "offset": "x"}, Fault(INVALID, "files.read: offset cannot be that", "")),
        ({"path": 1, "offset": "x"}, Fault(INVALID, "files.read: path, offset cannot be that", "")),
    ]
    for args, fault in wrong:
        assert refused(catalog, "files.read", args) == fault
    assert refused(catalog, "x", {}) == Fault(INVALID, "there is no such action", "see: agentos capabilities")


def test_what_fits_one_by_one_and_not_together_is_refused_too(catalog: Catalog) -> None:
    one_of = msgspec.structs.replace(catalog.actions["files.read"], request=control_pb2.RunResponse)
    with pytest.raises(wire.BadRequest) as said:
        wire.message(wire.Claim("files.read", {"settled": "p1", "accepted": {}}), one_of)
    assert said.value.fault.reason == "files.read: the arguments cannot be that"


def test_what_lacks_a_part_that_its_schema_requires_is_refused_too(catalog: Catalog) -> None:
    requiring = msgspec.structs.replace(catalog.actions["files.read"], request=descriptor_pb2.UninterpretedOption)
    with pytest.raises(wire.BadRequest) as said:
        wire.message(wire.Claim("files.read", {"name": [{"namePart": "half"}]}), requiring)
    assert said.value.fault.reason == "files.read: name cannot be that"


# ---- what a guest is told


def test_each_code_is_told_by_its_name() -> None:
    codes = {number: name.removeprefix("CODE_").lower() for name, number in error_pb2.Code.items() if number}
    assert codes == wire.CODES


def test_a_reply_has_a_value_or_an_error_for_each_call() -> None:
    fault = Fault(error_pb2.CODE_LIMIT, "too much", "less", "quota")
    told = {"code": "limit", "reason": "too much", "hint": "less", "detail": "quota"}
    assert json.loads(wire.reply(['{"a":1}', fault])) == {"results": [{"value": {"a": 1}}, {"error": told}]}


def test_what_has_a_form_of_its_own_is_written_by_the_library_on_one_line() -> None:
    raw = descriptor_pb2.FileDescriptorProto(message_type=[descriptor_pb2.DescriptorProto(name="A")])
    assert wire.value(raw) == '{"message_type": [{"name": "A"}]}'


# ---- digests


def test_spellings_of_one_place_are_one_call(catalog: Catalog) -> None:
    spellings = ["notes/a.md", "./notes//a.md", "/home/me/work/notes/a.md", "~/work/notes/a.md"]
    assert len({call(catalog, "files.read", path=path).digest for path in spellings}) == 1


def test_every_argument_counts_for_the_digest(catalog: Catalog) -> None:
    variants: list[dict[str, object]] = [{}, {"offset": 1}, {"length": 1}, {"if_version": "1"}, {"as_text": True}]
    found = {call(catalog, "files.read", path="/a", **more).digest for more in variants}
    found |= {call(catalog, "files.read", path="/b").digest, call(catalog, "files.stat", path="/a").digest}
    assert len(found) == 7


def test_a_prepared_target_counts_for_the_digest(catalog: Catalog) -> None:
    made = call(catalog, "files.move", path="/a", to="/b")
    assert made.prepared((("to", "/c"),)).digest != made.digest
    assert made.prepared(made.targets).digest == made.digest


@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_two_lists_never_frame_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (canonical.framed(*one) == canonical.framed(*other)) == (one == other)


@given(st.text(max_size=20), st.text(max_size=20))
def test_text_never_slips_from_one_field_to_the_next(catalog: Catalog, one: str, other: str) -> None:
    first = call(catalog, "files.write", path="/a", text=one, data="")
    second = call(catalog, "files.write", path="/a", text=other, data="")
    assert (first.digest == second.digest) == (one == other)


def test_content_is_recorded_by_size_and_digest_alone(catalog: Catalog) -> None:
    made = call(catalog, "files.write", path="/a", text="a secret of mine")
    shown = redacted(made.request, frozenset(field.field for field in made.rule.fields if field.content))
    assert "secret" not in shown
    assert "16 bytes" in json.loads(shown)["text"]
