"""Messages, enums and their comments in an image, by full name."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

Place = tuple[int, ...]
Comments = Mapping[Place, str]

# Field numbers of descriptor.proto: the path to a comment is made of them.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_MESSAGE, MESSAGE_ENUM = 2, 3, 4
ENUM_VALUE = SERVICE_METHOD = 2


class Index:
    """What an image holds. Names begin with a dot, as type names in a descriptor do."""

    def __init__(self, image: FileDescriptorSet) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.comments: dict[str, str] = {}
        for file in image.file:
            self._file(file)

    def _file(self, file: FileDescriptorProto) -> None:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for at, enum in enumerate(file.enum_type):
            self._enum(f".{file.package}.{enum.name}", enum, (FILE_ENUM, at), comments)
        for at, message in enumerate(file.message_type):
            self._message(f".{file.package}.{message.name}", message, (FILE_MESSAGE, at), comments)
        for at, service in enumerate(file.service):
            for nth, method in enumerate(service.method):
                full = f".{file.package}.{service.name}.{method.name}"
                self._note(full, (FILE_SERVICE, at, SERVICE_METHOD, nth), comments)

    def _message(self, full: str, message: DescriptorProto, place: Place, comments: Comments) -> None:
        self.messages[full] = message
        self._note(full, place, comments)
        for at, field in enumerate(message.field):
            self._note(f"{full}.{field.name}", (*place, MESSAGE_FIELD, at), comments)
        for at, nested in enumerate(message.nested_type):
            self._message(f"{full}.{nested.name}", nested, (*place, MESSAGE_MESSAGE, at), comments)
        for at, enum in enumerate(message.enum_type):
            self._enum(f"{full}.{enum.name}", enum, (*place, MESSAGE_ENUM, at), comments)

    def _enum(self, full: str, enum: EnumDescriptorProto, place: Place, comments: Comments) -> None:
        self.enums[full] = enum
        self._note(full, place, comments)
        for at, member in enumerate(enum.value):
            self._note(f"{full}.{member.name}", (*place, ENUM_VALUE, at), comments)

    def _note(self, full: str, place: Place, comments: Comments) -> None:
        lines = comments.get(place, "").strip().splitlines()
        self.comments[full] = "\n".join(line.strip() for line in lines)
