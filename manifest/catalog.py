"""What the kernel knows of capabilities, all of it from descriptors and their annotations.

A capability is a folder with a capability.toml that names its service. The kernel's own services (own.proto) are
always there. Everything that could make a bound mean less than it says is an error when the capability is loaded: an
action without an effect, an implied action with bounds of its own, a bounded field where no bound is looked for.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError

from agentos.manifest.actions import ActionRule, FieldRule, nearest
from agentos.manifest.bounds import kinds_of
from agentos.manifest.rules import CapabilityRule, Catalog, CatalogError, Entry
from agentos.manifest.toml import shown
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import matchers, own_pb2
from agentos.v1.names import BadName
from agentos.v1.patterns import amount, canonical_pattern

SHIPPED = Path(__file__).parents[1] / "capabilities"
MAX_DESCRIPTORS = 4 << 20
MAX_TOML = 64 << 10
# Less than the least, and no server of Python starts.
LEAST_MEMORY, MOST_MEMORY = 128 << 20, 16 << 30

_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_MODULE = re.compile(r"agentos\.v1\.[a-z][a-z0-9_]*_pb2\Z")
_TEXT = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_NUMBERS = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
_NUMBERS |= {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}


def installed(added: Mapping[str, str]) -> Catalog:
    """All that ships, and of the folders that were added, by path, those whose digest is what it was then."""
    shipped = sorted(each.parent for each in SHIPPED.glob("*/capability.toml"))
    folders = {Path(folder): digest for folder, digest in added.items()}
    same = [folder for folder, digest in folders.items() if folder.is_dir() and folder_digest(folder) == digest]
    return load([*shipped, *same])


def load(folders: Sequence[Path]) -> Catalog:
    """The kernel's own capabilities and those in these folders. Raises CatalogError."""
    own = own_pb2.DESCRIPTOR.services_by_name.values()
    return Catalog([*(_entry(service, _Form("", "", ()), "") for service in own), *map(read_capability, folders)])


def read_capability(folder: Path) -> Entry:
    """The capability in one folder. Raises CatalogError."""
    form = _form(folder / "capability.toml")
    pool = _registered(form.module) if form.module else _pool(folder / form.descriptors)
    try:
        service = pool.FindServiceByName(form.service)
    except KeyError:
        raise CatalogError(f"{folder / 'capability.toml'}: its descriptors have no service {form.service}") from None
    entry = _entry(service, form, str(folder))
    if entry.name != form.name:
        raise CatalogError(f"{folder / 'capability.toml'}: {form.service} is named {entry.name}, not {form.name}")
    return entry


# ---- capability.toml and descriptors


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    service: str
    command: tuple[str, ...]
    module: str = ""
    descriptors: str = ""
    folders: str | tuple[str, ...] = ()
    network: bool = False
    keeps: tuple[str, ...] = ()
    settings: dict[str, Literal["text", "file"]] = {}
    memory: str = ""
    listens: int = 0


def _form(file: Path) -> _Form:
    try:
        form = msgspec.convert(tomllib.loads(_bytes(file, MAX_TOML).decode()), _Form)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise CatalogError(f"{file}: not TOML") from None
    except msgspec.ValidationError as wrong:
        raise CatalogError(f"{file}: {shown(str(wrong))}", "it has: " + ", ".join(_Form.__struct_fields__)) from None
    _check_form(form, file)
    return form


def _check_form(form: _Form, file: Path) -> None:
    if not all(map(str.isprintable, (form.name, form.service, form.descriptors, *form.command, *_folders(form)))):
        raise CatalogError(f"{file}: a character in it cannot be seen")
    if bool(form.module) == bool(form.descriptors):
        raise CatalogError(f"{file}: needs one of module and descriptors")
    if form.module and not _MODULE.match(form.module):
        raise CatalogError(f"{file}: module names generated code of agentos.v1 only", "use descriptors")
    if form.descriptors and Path(form.descriptors).name != form.descriptors:
        raise CatalogError(f"{file}: descriptors is the name of a file beside it")
    if not form.command or not all(form.command):
        raise CatalogError(f"{file}: command is empty")
    if isinstance(form.folders, str) and form.folders not in ("", "granted"):
        raise CatalogError(f'{file}: folders is "granted" or a list of paths')
    if not all(path.startswith(("/", "~/")) for path in _folders(form) if path != "granted"):
        raise CatalogError(f"{file}: folders are absolute or begin with ~/")
    if not all(map(_WORD.match, (*form.keeps, *form.settings))):
        raise CatalogError(f"{file}: keeps and settings are plain names")
    if form.listens and (form.descriptors or not 1024 <= form.listens <= 65535):
        raise CatalogError(f"{file}: only what ships with the kernel listens, on a port from 1024 to 65535")


def _memory(form: _Form, folder: str) -> int:
    """How many bytes of data its server may have; 0 where it does not say."""
    try:
        found = amount(form.memory) if form.memory else 0
    except BadName:
        found = -1
    if found and not LEAST_MEMORY <= found <= MOST_MEMORY:
        raise CatalogError(f"{folder}/capability.toml: memory cannot be that", "128MiB to 16GiB, as a text")
    return found


def _folders(form: _Form) -> tuple[str, ...]:
    return ((form.folders,) if form.folders else ()) if isinstance(form.folders, str) else form.folders


def _bytes(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(most + 1)
    except OSError:
        raise CatalogError(f"{file} cannot be read") from None
    if len(raw) > most:
        raise CatalogError(f"{file} is larger than {most} bytes")
    return raw


def _registered(module: str) -> descriptor_pool.DescriptorPool:
    try:
        importlib.import_module(module)
    except ImportError:
        raise CatalogError(f"there is no module {module}") from None
    return descriptor_pool.Default()


def _pool(file: Path) -> descriptor_pool.DescriptorPool:
    """A pool of its own for what others described. The annotations are taken from us, whatever they call so."""
    pool = descriptor_pool.DescriptorPool()
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(_bytes(file, MAX_DESCRIPTORS)).file
        for described in files:
            ours = described.name in (notes.DESCRIPTOR.name, descriptor_pb2.DESCRIPTOR.name)
            known = descriptor_pool.Default().FindFileByName(described.name).serialized_pb if ours else b""
            pool.AddSerializedFile(known or described.SerializeToString())
        for described in files:
            pool.FindFileByName(described.name)
    except (DecodeError, TypeError, KeyError, ValueError):
        raise CatalogError(f"{file}: not a whole set of descriptors", "make it with buf build -o") from None
    return pool


# ---- services and methods


def _entry(service: ServiceDescriptor, form: _Form, folder: str) -> Entry:
    name = service.name.removesuffix("Service").lower()
    if name == service.name.lower() or not _WORD.match(name):
        raise CatalogError(f"{service.full_name}: a service is named as its capability and Service: FilesService")
    option = service.GetOptions().Extensions[notes.capability]
    own, alone = not folder, not (form.network or form.folders or form.keeps)
    actions = tuple(_action(name, method, own, alone) for method in service.methods)
    by_name = {action.name: action for action in actions}
    if not by_name and not option.events:
        raise CatalogError(f"{service.full_name} has no action and no event")
    if not all(map(_WORD.match, option.events)) or (not own and name in ("timer", "event")):
        raise CatalogError(f"{service.full_name}: events are plain words, and timer and event are taken")
    for action in actions:
        _check_implied(action, by_name)
    rule = CapabilityRule(
        name=name,
        about=_text(option.about, f"{service.full_name}: about"),
        never=_guards(option.never, service.full_name),
        govern=_guards(option.govern, service.full_name),
        actions=tuple(by_name),
        command=form.command,
        folders=_folders(form),
        network=form.network,
        service=service.full_name,
        keeps=form.keeps,
        memory_bytes=_memory(form, folder),
        folder=folder,
        settings=tuple(form.settings.items()),
        events=tuple(option.events),
        listens=form.listens,
    )
    return Entry(rule, actions)


def _text(text: str, where: str) -> str:
    if not text or len(text) > 200 or not text.isprintable():
        raise CatalogError(f"{where} must be one line of at most 200 characters")
    return text


def _guards(patterns: Iterable[str], where: str) -> tuple[str, ...]:
    """Canonical patterns of places; each is absolute or begins with `**/`."""
    found = []
    for pattern in patterns:
        if not pattern.startswith(("/", "**/")):
            raise CatalogError(f"{where}: {pattern} must begin with / or **/")
        try:
            found.append(canonical_pattern(matchers.PATH, pattern, "/", "/"))
        except BadName as bad:
            raise CatalogError(f"{where}: {pattern}: {bad}") from None
    return tuple(found)


def _action(capability: str, method: MethodDescriptor, own: bool, alone: bool) -> ActionRule:
    option = method.GetOptions().Extensions[notes.action]
    if method.client_streaming or method.server_streaming:
        raise CatalogError(f"{method.full_name}: an action takes one request and gives one response")
    if option.effect not in notes.Effect.values() or not option.effect:
        raise CatalogError(f"{method.full_name} has no effect", "annotate it with option (action) = { effect: … }")
    if option.inherent and not alone:
        raise CatalogError(f"{method.full_name} is inherent, so its server may have no folders and no network")
    if option.inherent and option.effect != notes.EFFECT_OBSERVE and not own:
        raise CatalogError(f"{method.full_name} is inherent and more than EFFECT_OBSERVE")
    fields = _fields(method.input_type)
    _check_nested(method)
    summary = _text(option.summary, f"{method.full_name}: summary")
    targets = {field.field for field in fields if field.matcher in matchers.BY_VALUE}
    if option.again_field and option.again_field not in {field.field for field in fields}:
        raise CatalogError(f"{method.full_name}: again_field names {option.again_field}, which is no annotated field")
    unknown = set(re.findall(r"\{:?(.*?)\}", summary)) - targets
    if unknown and not option.prepare:
        raise CatalogError(f"{method.full_name}: its summary names {min(unknown)}, which is no bounded field")
    return ActionRule(
        name=f"{capability}.{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', method.name).lower()}",
        capability=capability,
        effect=option.effect,
        implies=tuple(option.implies),
        summary=summary,
        prepare=option.prepare,
        inherent=option.inherent,
        fields=fields,
        method=f"/{method.containing_service.full_name}/{method.name}",
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
        about=re.sub(r"[{}]", "", summary),
        own=own,
        foreign=option.foreign,
        again=notes.AGAIN_REPEAT if option.effect == notes.EFFECT_OBSERVE else option.again,
        again_field=option.again_field,
        again_among=tuple(option.again_among),
    )


def _check_implied(action: ActionRule, known: dict[str, ActionRule]) -> None:
    for name in action.implies:
        implied = known.get(name)
        if implied is None or implied is action:
            near = nearest(name, known)
            raise CatalogError(
                f"{action.name} implies {name}, which is not there", f"did you mean {near}?" if near else ""
            )
        if not kinds_of(implied).items() <= kinds_of(action).items():
            raise CatalogError(f"{action.name} implies {name}, which has bounds that it has not")
        if implied.effect > action.effect or implied.inherent != action.inherent:
            raise CatalogError(f"{action.name} implies {name}, which does more than it says")


# ---- fields


def _fields(request: Descriptor) -> tuple[FieldRule, ...]:
    rules = tuple(_field(field) for field in request.fields if field.GetOptions().HasExtension(notes.field))
    by_bound: dict[str, int] = {}
    for rule in rules:
        if rule.matcher and by_bound.setdefault(rule.bound, rule.matcher) != rule.matcher:
            raise CatalogError(f"{request.full_name}: the bound {rule.bound} has two matchers")
    return rules


def _field(field: FieldDescriptor) -> FieldRule:
    option = field.GetOptions().Extensions[notes.field]
    where, matcher = field.full_name, option.matcher
    if matcher not in notes.Matcher.values():
        raise CatalogError(f"{where}: its bound has an unknown matcher")
    if not matcher and (option.bound or option.leads or not option.content):
        raise CatalogError(f"{where}: its bound has no matcher")
    if matcher in matchers.BY_VALUE and option.content:
        raise CatalogError(f"{where} is content, which is never bounded by value")
    if matcher in matchers.BY_VALUE and field.type != FieldDescriptor.TYPE_STRING:
        raise CatalogError(f"{where} is bounded by value and must be a string")
    if matcher in matchers.COUNTED and (field.is_repeated or not (field.type in _TEXT or field.cpp_type in _NUMBERS)):
        raise CatalogError(f"{where} is counted and must be one number, string or bytes")
    if option.leads and matcher != matchers.PATH:
        raise CatalogError(f"{where}: only a path leads somewhere")
    if matcher in matchers.CARRIED and (field.type != FieldDescriptor.TYPE_STRING or field.is_repeated):
        raise CatalogError(f"{where} is carried and must be one string")
    bound = (option.bound or field.name) if matcher else ""
    if bound and (not _WORD.match(bound) or bound == "ask"):
        raise CatalogError(f"{where}: {bound!r} cannot be a bound's name")
    default, among = _values(where, matcher, option.default), _values(where, matcher, option.among)
    if among and not set(default) <= set(among):
        raise CatalogError(f"{where}: its default is not among its values")
    return FieldRule(field.name, bound, matcher, option.leads, option.content, default, among)


def _values(where: str, matcher: int, values: Iterable[str]) -> tuple[str, ...]:
    """The values of a default or of all that there are, canonical."""
    found = tuple(values)
    if found and (matcher in matchers.COUNTED or matcher == matchers.SECRET or not matcher):
        raise CatalogError(f"{where}: its bound has neither a default nor values to be among")
    try:
        return tuple(canonical_pattern(matcher, value, "/", "/") for value in found)
    except BadName as bad:
        raise CatalogError(f"{where}: {bad}") from None


def _check_nested(method: MethodDescriptor) -> None:
    """Annotations that nothing looks at: of nested messages, and bounds of a response."""
    for field in method.output_type.fields:
        if field.GetOptions().Extensions[notes.field].matcher:
            raise CatalogError(f"{field.full_name}: a response has no bounds")
    for top in (method.input_type, method.output_type):
        seen, waiting = {top.full_name}, [top]
        while waiting:
            message = waiting.pop()
            if message.full_name == "google.protobuf.Any":
                raise CatalogError(f"{method.full_name}: Any has no one reading")
            for field in message.fields:
                if message is not top and field.GetOptions().HasExtension(notes.field):
                    raise CatalogError(f"{field.full_name}: only fields of the request itself are annotated")
                if field.message_type and field.message_type.full_name not in seen:
                    seen.add(field.message_type.full_name)
                    waiting.append(field.message_type)


def folder_digest(folder: Path) -> str:
    """Hex digest of a capability's folder: a changed server is not the one that the person registered."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        raw = file.read_bytes()
        found.update(f"{file.relative_to(folder)}\0{len(raw)}\0".encode() + raw)
    return found.hexdigest()
