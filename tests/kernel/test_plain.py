"""Messages as JSON, the short way: exactly as the library writes them, or not at all."""

from __future__ import annotations

import json

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.message import Message

from agentos.v1 import control_pb2, error_pb2, files_pb2, net_pb2, pages_pb2, plain

MESSAGES: list[Message] = [
    net_pb2.NetFetchResponse(
        status=404, headers=[net_pb2.NetHeader(name="a", value="ö"), net_pb2.NetHeader()], body=b"\xfb\xff\0", cut=True
    ),
    net_pb2.NetFetchResponse(),
    files_pb2.FilesReadRequest(path="a", offset=-(2**60)),
    control_pb2.Call(
        seq=-1, decision=control_pb2.CALL_DECISION_REFUSED, error=error_pb2.Error(code=error_pb2.CODE_LIMIT)
    ),
    control_pb2.Call(error=error_pb2.Error(), from_outside=True, duration_us=2**62),
    pages_pb2.PagesExtractRequest(html=b"<p>", url="x"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_it_is_what_the_library_would_write(message: Message) -> None:
    written = plain.plain(message)
    assert json.loads(json.dumps(written)) == json_format.MessageToDict(message, preserving_proto_field_name=True)


@pytest.mark.parametrize("message", [struct_pb2.Struct(), struct_pb2.Value(), timestamp_pb2.Timestamp()], ids=repr)
def test_what_the_library_writes_in_a_way_of_its_own_is_left_to_it(message: Message) -> None:
    assert plain.plain(message) is None


def test_a_message_that_can_hold_itself_is_left_to_the_library() -> None:
    kind = descriptor_pb2.FieldDescriptorProto
    under = kind(name="under", number=1, label=kind.LABEL_OPTIONAL, type=kind.TYPE_MESSAGE, type_name=".t.Tree")
    tree = descriptor_pb2.DescriptorProto(name="Tree", field=[under])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", message_type=[tree]))
    assert plain.plain(message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Tree"))()) is None
