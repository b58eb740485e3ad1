"""Messages as JSON, the short way: messages made of text, bytes, numbers, enums, and messages of such.

Writing the proto3 JSON mapping with the library costs more than most of what a small call needs. Nearly every message
is simple; it is written here, exactly as the library would. For a fraction or a map `plain` says no, and the library
does it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_LONG = {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
_JUST = {
    FieldDescriptor.TYPE_STRING: str, FieldDescriptor.TYPE_BOOL: bool, FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_INT64: int, FieldDescriptor.TYPE_UINT32: int, FieldDescriptor.TYPE_UINT64: int,
}  # fmt: skip
_KNOWN = _LONG | {
    FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_BOOL,
    FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM,
}  # fmt: skip


def plain(message: Message) -> dict[str, object] | None:
    """What the JSON of a message is made of; None where the library has to write it."""
    return _plain(message) if _simple(message.DESCRIPTOR) else None


def _plain(message: Message) -> dict[str, object]:
    return {field.name: _form(field)(value) for field, value in message.ListFields()}


@cache
def _form(field: FieldDescriptor) -> Callable[..., object]:
    """How the value of a field is written."""
    one = _form_of_one(field)
    return (lambda values: [one(each) for each in values]) if field.is_repeated else one


def _form_of_one(field: FieldDescriptor) -> Callable[..., object]:
    if field.message_type:
        return _plain
    if field.enum_type:
        names = {value.number: value.name for value in field.enum_type.values}
        return lambda number: names.get(number, number)
    if field.type == field.TYPE_BYTES:
        return lambda raw: binascii.b2a_base64(raw, newline=False).decode()
    return str if field.cpp_type in _LONG else lambda value: value


def filled(message: Message, args: Mapping[str, object]) -> bool:
    """Set all these fields, if each is a single text, bool or integer and its value just that; else set none.

    Raises ValueError, as the library does, for half a surrogate pair and for a number of too many bits.
    """
    just = all(
        _JUST.get((field := message.DESCRIPTOR.fields_by_name[name]).type) is type(value)
        and not (field.is_repeated or field.containing_oneof)
        for name, value in args.items()
    )
    for name, value in args.items() if just else ():
        setattr(message, name, value)
    return just


@cache
def _simple(descriptor: Descriptor, above: frozenset[str] = frozenset()) -> bool:
    """Whether all that a message can hold is written here; one that can hold itself is not."""
    return not (
        descriptor.full_name in above
        or descriptor.file.package == "google.protobuf"
        or descriptor.GetOptions().map_entry
    ) and all(
        _simple(field.message_type, above | {descriptor.full_name}) if field.message_type else field.cpp_type in _KNOWN
        for field in descriptor.fields
    )
