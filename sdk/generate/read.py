"""Turns the services of an image into modules of the SDK.

A reply with one field is that field: `files.stat(path)` gives the entry, not a message with an entry in it. A reply
with none is None. So a second field in such a reply breaks programs: give it an action of its own instead.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from google.protobuf.descriptor_pb2 import (
    FieldDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from agentos.sdk.generate.index import Index
from agentos.sdk.generate.model import Action, Enum, Message, Module, Unsupported, Value
from agentos.v1 import annotations_pb2 as proto

T = FieldDescriptorProto
WHOLE_NUMBERS = (
    *(T.TYPE_INT32, T.TYPE_INT64, T.TYPE_UINT32, T.TYPE_UINT64, T.TYPE_SINT32, T.TYPE_SINT64),
    *(T.TYPE_FIXED32, T.TYPE_FIXED64, T.TYPE_SFIXED32, T.TYPE_SFIXED64),
)
# Python type, its default, and how its JSON, {}, is read.
SCALARS: Mapping[int, tuple[str, str, str]] = {
    T.TYPE_STRING: ("str", '""', "{}"),
    T.TYPE_BYTES: ("bytes", 'b""', "b64decode({})"),
    T.TYPE_BOOL: ("bool", "False", "{}"),
    T.TYPE_DOUBLE: ("float", "0.0", "float({})"),
    T.TYPE_FLOAT: ("float", "0.0", "float({})"),
    # 64-bit numbers are strings in JSON, the others are numbers; int() takes both.
    **dict.fromkeys(WHOLE_NUMBERS, ("int", "0", "int({})")),
}
# What a call is about: given by position, never left out.
ABOUT = {proto.MATCHER_PATH, proto.MATCHER_HOST, proto.MATCHER_MAIL, proto.MATCHER_EXACT}
# What is for the manifest to say, and no argument.
CARRIED = {proto.MATCHER_AT_USE, proto.MATCHER_SECRET}
# Names that a generated module needs for itself.
TAKEN = {"action", "Call", "Path", "Reply", "WireEnum", "b64decode", "builtins", "dataclass"}


def modules(image: FileDescriptorSet, by_hand: Container[str] = ()) -> Iterator[Module]:
    """Every service of the image that is a capability, without the actions that are written by hand."""
    index = Index(image)
    for file in image.file:
        for service in file.service:
            if service.options.HasExtension(proto.capability) and service.method:
                full = f".{file.package}.{service.name}"
                yield _Reader(index, full, service, file.name, by_hand).module


def snake(name: str) -> str:
    """ReadLine → read_line."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name


class _Reader:
    """Reads one service into its module."""

    def __init__(
        self, index: Index, full: str, service: ServiceDescriptorProto, source: str, by_hand: Container[str]
    ) -> None:
        self._index = index
        self._prefix = service.name.removesuffix("Service")
        about = service.options.Extensions[proto.capability].about
        self.module = Module(snake(self._prefix), about, source)
        granted_by = {self._action_name(method): [self._action_name(method)] for method in service.method}
        for method in service.method:
            for covered in method.options.Extensions[proto.action].implies:
                granted_by[covered].append(self._action_name(method))
        for method in service.method:
            if self._action_name(method) in by_hand:
                continue
            doc = index.comments[f"{full}.{method.name}"]
            self.module.actions.append(self._action(method, doc, granted_by[self._action_name(method)]))

    def _action_name(self, method: MethodDescriptorProto) -> str:
        return f"{self.module.name}.{snake(method.name)}"

    def _action(self, method: MethodDescriptorProto, doc: str, granted_by: list[str]) -> Action:
        option = method.options.Extensions[proto.action]
        request = self._index.messages[method.input_type]
        rules = [(field.name, field.options.Extensions[proto.field]) for field in request.field]
        said = [field for field, (_, rule) in zip(request.field, rules, strict=True) if rule.matcher not in CARRIED]
        takes = [self._value(method.input_type, field) for field in said]
        return Action(
            name=safe(snake(method.name)),
            full=self._action_name(method),
            doc=doc or f"{option.summary[:1].upper()}{option.summary[1:]}.",
            effect=proto.Effect.Name(option.effect).removeprefix("EFFECT_"),
            granted_by=[] if option.inherent else granted_by,
            bounds=list(dict.fromkeys(rule.bound or name for name, rule in rules if rule.matcher)),
            takes=[replace(takes[0], about=True)] if len(takes) == 1 else takes,
            returns=self._reply(method.output_type),
        )

    def _reply(self, full: str) -> Message:
        if len(self._index.messages[full].field) > 1:
            return self._message(full)
        return Message("", "", [self._value(full, field) for field in self._index.messages[full].field])

    def _message(self, full: str) -> Message:
        name = self._local(full)
        if name not in self.module.messages:
            # Noted before its fields are read, since it may contain itself.
            message = self.module.messages[name] = Message(name, self._index.comments[full], [])
            message.values.extend(self._value(full, field) for field in self._index.messages[full].field)
        return self.module.messages[name]

    def _enum(self, full: str) -> Enum:
        name = self._local(full)
        common = snake(full.rpartition(".")[2]).upper() + "_"
        members = [
            (member.name.removeprefix(common), self._index.comments[f"{full}.{member.name}"])
            for member in self._index.enums[full].value
        ]
        return self.module.enums.setdefault(name, Enum(name, self._index.comments[full], common, members))

    def _local(self, full: str) -> str:
        """FilesReadResponse is ReadResponse in the module files."""
        name = full.rpartition(".")[2]
        return safe(name.removeprefix(self._prefix) or name)

    def _value(self, owner: str, field: FieldDescriptorProto) -> Value:
        kind, default, decode = self._type(owner, field)
        matcher = field.options.Extensions[proto.field].matcher
        if field.label == T.LABEL_REPEATED:
            kind, default, decode = f"tuple[{kind}, ...]", "()", f"tuple({decode.format('item')} for item in {{}})"
        elif field.type == T.TYPE_MESSAGE or field.HasField("oneof_index"):
            kind, default = f"{kind} | None", "None"
        elif matcher == proto.MATCHER_PATH:
            kind = "Path"
        doc = self._index.comments[f"{owner}.{field.name}"]
        return Value(safe(field.name), field.name, kind, default, decode, doc, matcher in ABOUT)

    def _type(self, owner: str, field: FieldDescriptorProto) -> tuple[str, str, str]:
        if field.type in SCALARS:
            return SCALARS[field.type]
        if field.type == T.TYPE_ENUM:
            enum = self._enum(field.type_name)
            return enum.name, f"{enum.name}.{enum.members[0][0]}", f"{enum.name}.from_wire({{}})"
        known = self._index.messages.get(field.type_name)
        if known and not known.options.map_entry and not field.type_name.startswith(".google.protobuf."):
            message = self._message(field.type_name)
            return message.name, "None", f"{message.name}.from_wire({{}})"
        raise Unsupported(f"{owner[1:]}.{field.name}: a map, a group or a well-known type has no form in the SDK")
