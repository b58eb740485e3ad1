"""What the tests of authority share: the catalog that ships, and one more capability with every kind of bound."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import any_pb2, descriptor_pb2

from agentos.manifest.catalog import load
from agentos.manifest.rules import Catalog
from agentos.v1 import annotations_pb2 as notes

START, HOME = "/home/me/work", "/home/me"
REPOSITORY = Path(__file__).parents[2]

Field = descriptor_pb2.FieldDescriptorProto


def post_service() -> descriptor_pb2.FileDescriptorProto:
    """A service of somebody else, with a host, an address, an exact value, a maximum and a budget."""
    file = descriptor_pb2.FileDescriptorProto(name="acme/post.proto", package="acme", syntax="proto3")
    file.dependency.append(notes.DESCRIPTOR.name)
    service = file.service.add(name="PostService")
    service.options.Extensions[notes.capability].about = "letters"
    add_method(file, "Send", notes.EFFECT_REACH, "send to {to} over {server}")
    request = file.message_type[0]
    add_field(request, "to", notes.MATCHER_MAIL)
    add_field(request, "server", notes.MATCHER_HOST)
    add_field(request, "kind", notes.MATCHER_EXACT)
    add_field(request, "text", notes.MATCHER_MAXIMUM, bound="size", content=True)
    add_field(request, "stamps", notes.MATCHER_BUDGET, kind=Field.TYPE_INT64)
    add_method(file, "Count", notes.EFFECT_OBSERVE, "count letters")
    return file


def add_method(
    file: descriptor_pb2.FileDescriptorProto, name: str, effect: notes.Effect.ValueType, summary: str
) -> None:
    """One more action, with an empty request and response of its own."""
    for kind in ("Request", "Response"):
        file.message_type.add(name=f"Post{name}{kind}")
    method = file.service[0].method.add(
        name=name, input_type=f".acme.Post{name}Request", output_type=f".acme.Post{name}Response"
    )
    option = method.options.Extensions[notes.action]
    option.effect, option.summary = effect, summary


def add_field(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    matcher: notes.Matcher.ValueType = notes.MATCHER_UNSPECIFIED,
    kind: Field.Type.ValueType = Field.TYPE_STRING,
    bound: str = "",
    content: bool = False,
    leads: bool = False,
) -> descriptor_pb2.FieldDescriptorProto:
    field = message.field.add(name=name, number=len(message.field) + 1, type=kind, label=Field.LABEL_OPTIONAL)
    option = field.options.Extensions[notes.field]
    option.matcher, option.bound, option.content, option.leads = matcher, bound, content, leads
    return field


def write_capability(folder: Path, file: descriptor_pb2.FileDescriptorProto, toml: str = "") -> Path:
    """The folder of a capability, as `agentos capabilities add` takes it."""
    folder.mkdir(exist_ok=True)
    described = descriptor_pb2.FileDescriptorSet()
    for known in (descriptor_pb2.DESCRIPTOR, notes.DESCRIPTOR, any_pb2.DESCRIPTOR):
        described.file.append(descriptor_pb2.FileDescriptorProto.FromString(known.serialized_pb))
    described.file.append(file)
    (folder / "post.binpb").write_bytes(described.SerializeToString())
    (folder / "capability.toml").write_text(
        toml or 'name = "post"\nservice = "acme.PostService"\ndescriptors = "post.binpb"\ncommand = ["./post"]\n'
    )
    return folder


def shipped(*more: Path) -> Catalog:
    return load([*(REPOSITORY / "capabilities" / name for name in ("files", "hook", "net", "pages")), *more])
