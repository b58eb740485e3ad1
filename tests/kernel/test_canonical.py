"""One reading of a message: what differs has other bytes, and what is the same has the same, written down here."""

from __future__ import annotations

import hashlib
import struct

import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.message import Message

from agentos.kernel import canonical
from agentos.v1 import capability_pb2, control_pb2, error_pb2, files_pb2, net_pb2


def test_the_form_is_the_one_that_was_promised() -> None:
    """Answers that are on record are bound to these bytes: a change is a new version."""
    message = files_pb2.FilesReadRequest(path="a", offset=-1)
    fields = {field.name: field.number for field in message.DESCRIPTOR.fields}
    path = fields["path"].to_bytes(4, "big") + (1).to_bytes(8, "big") + b"s" + (1).to_bytes(8, "big") + b"a"
    offset = fields["offset"].to_bytes(4, "big") + (1).to_bytes(8, "big") + b"i" + b"\xff" * 16
    assert canonical.encode(message) == path + offset
    framed = b"".join(
        len(each).to_bytes(8, "big") + each for each in (b"agentos.call.v1", b"files.read", path + offset)
    )
    named = b"".join(len(each).to_bytes(8, "big") + each for each in (b"path", b"/home/a"))
    expected = hashlib.sha256(framed + named).hexdigest()
    assert canonical.call_digest("files.read", message, (("path", "/home/a"),)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (files_pb2.FilesReadRequest(path="ab"), files_pb2.FilesReadRequest(path="a")),
        (net_pb2.NetFetchRequest(host="ab", path="c"), net_pb2.NetFetchRequest(host="a", path="bc")),
        (net_pb2.NetFetchRequest(stream=True), net_pb2.NetFetchRequest()),
        (net_pb2.NetFetchRequest(body=b"1"), net_pb2.NetFetchRequest(body=b"")),
        (capability_pb2.CallContext(run="ab"), capability_pb2.CallContext(program="ab")),
        (control_pb2.Call(error=error_pb2.Error(reason="x")), control_pb2.Call(error=error_pb2.Error(hint="x"))),
        (
            net_pb2.NetFetchRequest(headers=[net_pb2.NetHeader(name="a"), net_pb2.NetHeader(name="b")]),
            net_pb2.NetFetchRequest(headers=[net_pb2.NetHeader(name="a", value="b")]),
        ),
    ],
    ids=str,
)
def test_what_differs_has_other_bytes(one: Message, other: Message) -> None:
    assert canonical.encode(one) != canonical.encode(other)


def test_each_kind_of_value_has_its_letter() -> None:
    assert canonical.encode(wrappers_pb2.BoolValue(value=True))[12:] == b"t"
    assert canonical.encode(wrappers_pb2.DoubleValue(value=1.5))[12:] == b"d" + struct.pack(">d", 1.5)
