"""Messages as JSON, the short way: messages made of text, bytes, numbers, enums, and messages of such.

Writing the proto3 JSON mapping with the library costs more than most of what a small call needs. Nearly every message
is simple; it is written here, exactly as the library would. For a fraction or a map `plain` says no, and the library
does it.
"""

from __future__ import annotations

import binascii
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_LONG = {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
_KNOWN = _LONG | {
    FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_BOOL,
    FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM,
}  # fmt: skip


def plain(message: Message) -> dict[str, object] | None:
    """What the JSON of a message is made of; None where the library has to write it."""
    return _plain(message) if _simple(message.DESCRIPTOR) else None


def _plain(message: Message) -> dict[str, object]:
    return {
        field.name: [_shown(field, each) for each in value] if field.is_repeated else _shown(field, value)
        for field, value in message.ListFields()
    }


def _shown(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, bytes):
        return binascii.b2a_base64(value, newline=False).decode()
    if field.enum_type and isinstance(value, int):
        return field.enum_type.values_by_number[value].name if value in field.enum_type.values_by_number else value
    return str(value) if field.cpp_type in _LONG else value


@cache
def _simple(descriptor: Descriptor, above: frozenset[str] = frozenset()) -> bool:
    """Whether all that a message can hold is written here; one that can hold itself is not."""
    if (
        descriptor.full_name in above
        or descriptor.file.package == "google.protobuf"
        or descriptor.GetOptions().map_entry
    ):
        return False
    return all(
        _simple(field.message_type, above | {descriptor.full_name}) if field.message_type else field.cpp_type in _KNOWN
        for field in descriptor.fields
    )
