"""The catalog: what it learns from annotations, and what it refuses to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from agentos.manifest.actions import nearest
from agentos.manifest.bounds import kinds_of, needed
from agentos.manifest.catalog import load, read_capability
from agentos.manifest.rules import Catalog, CatalogError
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import files_pb2, matchers, patterns
from tests.authority.letters import Field, add_field, add_method, post_service, shipped, write_capability

File = descriptor_pb2.FileDescriptorProto


def test_the_kernels_own_actions_are_always_there_and_all_but_those_on_events_inherent() -> None:
    own = load([])
    assert set(own.actions) == {
        "clock.now", "clock.sleep", "random.bytes", "console.read_line", "run.left", "run.continue_with",
        "children.spawn", "children.join", "children.cancel", "event.send", "event.wait_for",
    }  # fmt: skip
    assert [name for name, rule in own.actions.items() if not rule.inherent] == ["event.send", "event.wait_for"]
    assert not own.capabilities["clock"].command


def test_an_action_is_known_by_its_annotations(catalog: Catalog) -> None:
    read = catalog.actions["files.read"]
    assert read.effect == notes.EFFECT_OBSERVE
    assert read.method == "/agentos.v1.FilesService/Read"
    assert read.request is files_pb2.FilesReadRequest
    assert needed(read) == ("path",)
    assert kinds_of(read) == {"path": matchers.PATH}
    assert kinds_of(catalog.actions["files.write"]) == {"path": matchers.PATH, "bytes": matchers.BUDGET}
    assert catalog.actions["files.move"].prepare
    assert catalog.actions["files.list"].fields[0].leads
    assert [f.field for f in catalog.actions["files.write"].fields if f.content] == ["text", "data"]


def test_a_grant_covers_the_actions_that_its_own_implies(catalog: Catalog) -> None:
    assert catalog.expand("files.read") == ("files.read", "files.list", "files.stat")
    assert catalog.expand("files.stat") == ("files.stat",)
    assert catalog.expand("files.fly") == ()


def test_guarded_places_are_canonical_patterns(catalog: Catalog) -> None:
    files = catalog.capabilities["files"]
    assert "/**/.bashrc" in files.govern
    assert all(patterns.canonical_pattern(matchers.PATH, p, "/", "/") == p for p in (*files.never, *files.govern))


def test_a_capability_of_others_comes_from_its_descriptors_alone(catalog: Catalog) -> None:
    send = catalog.actions["post.send"]
    assert send.request(to="a@b.c", stamps=3).SerializeToString()
    assert needed(send) == ("kind", "server", "to")
    assert catalog.capabilities["post"].command == ("./post",)
    assert catalog.capabilities["post"].folders == ()
    assert catalog.capabilities["files"].folders == ("granted",)
    assert catalog.capabilities["files"].keeps == ("trash",)
    assert catalog.capabilities["files"].memory_bytes == 0


def test_the_nearest_action_is_suggested(catalog: Catalog) -> None:
    assert nearest("file.reed", catalog.actions) == "files.read"
    assert nearest("teleport", catalog.actions) == ""


def test_a_capability_is_added_once_and_taken_away_whole(tmp_path: Path) -> None:
    entry = read_capability(write_capability(tmp_path, post_service()))
    known = shipped()
    known.add(entry)
    with pytest.raises(CatalogError, match="post already"):
        known.add(entry)
    known.remove("post")
    assert not [name for name in known.actions if name.startswith("post.")]


def test_a_capability_cannot_take_the_name_of_another(tmp_path: Path) -> None:
    file = post_service()
    file.service[0].name = "FilesService"
    toml = 'name = "files"\nservice = "acme.FilesService"\ndescriptors = "post.binpb"\ncommand = ["x"]\n'
    with pytest.raises(CatalogError, match="files already"):
        shipped(write_capability(tmp_path, file, toml))


# ---- what is refused


def no_effect(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].effect = notes.EFFECT_UNSPECIFIED


def unknown_effect(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].effect = 77  # type: ignore[assignment]


def no_summary(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].summary = ""


def summary_with_controls(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].summary = "send\x1b[2J"


def summary_of_no_field(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].summary = "send {what}"


def inherent(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].inherent = True


def streaming(file: File) -> None:
    file.service[0].method[0].server_streaming = True


def no_methods(file: File) -> None:
    del file.service[0].method[:]


def implies_nothing_known(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].implies.append("post.cuont")


def implies_itself(file: File) -> None:
    file.service[0].method[0].options.Extensions[notes.action].implies.append("post.send")


def implies_other_bounds(file: File) -> None:
    add_method(file, "Burn", notes.EFFECT_OBSERVE, "burn")
    add_field(file.message_type[-2], "place", notes.MATCHER_PATH)
    file.service[0].method[0].options.Extensions[notes.action].implies.append("post.burn")


def implies_another_matcher(file: File) -> None:
    add_method(file, "Burn", notes.EFFECT_OBSERVE, "burn")
    add_field(file.message_type[-2], "to", notes.MATCHER_HOST)
    file.service[0].method[0].options.Extensions[notes.action].implies.append("post.burn")


def implies_a_worse_effect(file: File) -> None:
    add_method(file, "Burn", notes.EFFECT_DESTROY, "burn")
    file.service[0].method[1].options.Extensions[notes.action].implies.append("post.burn")


def unknown_matcher(file: File) -> None:
    file.message_type[0].field[0].options.Extensions[notes.field].matcher = 99  # type: ignore[assignment]


def bound_without_matcher(file: File) -> None:
    add_field(file.message_type[0], "extra", bound="extra")


def content_bounded_by_value(file: File) -> None:
    file.message_type[0].field[0].options.Extensions[notes.field].content = True


def bounded_number(file: File) -> None:
    file.message_type[0].field[0].type = Field.TYPE_INT64


def counted_list(file: File) -> None:
    file.message_type[0].field[4].label = Field.LABEL_REPEATED


def counted_float(file: File) -> None:
    file.message_type[0].field[4].type = Field.TYPE_DOUBLE


def leading_address(file: File) -> None:
    file.message_type[0].field[0].options.Extensions[notes.field].leads = True


def a_bound_called_ask(file: File) -> None:
    file.message_type[0].field[0].options.Extensions[notes.field].bound = "ask"


def one_bound_of_two_matchers(file: File) -> None:
    file.message_type[0].field[1].options.Extensions[notes.field].bound = "to"


def nested_bound(file: File) -> None:
    inner = file.message_type.add(name="Inner")
    add_field(inner, "host", notes.MATCHER_HOST)
    add_field(file.message_type[0], "inner", kind=Field.TYPE_MESSAGE).type_name = ".acme.Inner"
    file.message_type[0].field[-1].ClearField("options")


def bounded_response(file: File) -> None:
    add_field(file.message_type[1], "to", notes.MATCHER_MAIL)


def anything_at_all(file: File) -> None:
    file.dependency.append("google/protobuf/any.proto")
    add_field(file.message_type[0], "any", kind=Field.TYPE_MESSAGE).type_name = ".google.protobuf.Any"
    file.message_type[0].field[-1].ClearField("options")


def relative_guard(file: File) -> None:
    file.service[0].options.Extensions[notes.capability].never.append("secret/**")


def bad_guard(file: File) -> None:
    file.service[0].options.Extensions[notes.capability].govern.append("/a/**b")


def no_about(file: File) -> None:
    file.service[0].options.Extensions[notes.capability].about = ""


def default_of_a_count(file: File) -> None:
    file.message_type[0].field[4].options.Extensions[notes.field].default.append("5")


def default_of_a_secret(file: File) -> None:
    add_field(file.message_type[0], "secret", notes.MATCHER_SECRET).options.Extensions[notes.field].default.append("a")


def default_that_is_none(file: File) -> None:
    option = file.message_type[0].field[2].options.Extensions[notes.field]
    option.default.append("huge")
    option.among.extend(["small", "large"])


def default_in_another_spelling(file: File) -> None:
    file.message_type[0].field[1].options.Extensions[notes.field].default.append("exa mple.com")


def carried_list(file: File) -> None:
    add_field(file.message_type[0], "network", notes.MATCHER_AT_USE).label = Field.LABEL_REPEATED


WRONG: list[tuple[Callable[[File], None], str]] = [
    (no_effect, "acme.PostService.Send has no effect"),
    (unknown_effect, "acme.PostService.Send has no effect"),
    (no_summary, "acme.PostService.Send: summary"),
    (summary_with_controls, "acme.PostService.Send: summary"),
    (summary_of_no_field, "names what, which is no bounded field"),
    (inherent, "is inherent and more than EFFECT_OBSERVE"),
    (default_of_a_count, "neither a default nor values"),
    (default_of_a_secret, "neither a default nor values"),
    (default_that_is_none, "PostSendRequest.kind: its default is not among"),
    (default_in_another_spelling, "PostSendRequest.server: not a host name"),
    (carried_list, "PostSendRequest.network is carried"),
    (streaming, "takes one request"),
    (no_methods, "has no action"),
    (implies_nothing_known, "post.send implies post.cuont"),
    (implies_itself, "post.send implies post.send"),
    (implies_other_bounds, "post.send implies post.burn, which has bounds"),
    (implies_another_matcher, "post.send implies post.burn, which has bounds"),
    (implies_a_worse_effect, "post.count implies post.burn, which does more"),
    (unknown_matcher, "PostSendRequest.to: its bound has an unknown matcher"),
    (bound_without_matcher, "PostSendRequest.extra: its bound has no matcher"),
    (content_bounded_by_value, "PostSendRequest.to is content"),
    (bounded_number, "PostSendRequest.to is bounded by value"),
    (counted_list, "PostSendRequest.stamps is counted"),
    (counted_float, "PostSendRequest.stamps is counted"),
    (leading_address, "PostSendRequest.to: only a path leads"),
    (a_bound_called_ask, "PostSendRequest.to: 'ask'"),
    (one_bound_of_two_matchers, "the bound to has two matchers"),
    (nested_bound, "acme.Inner.host: only fields of the request"),
    (bounded_response, "PostSendResponse.to: a response has no bounds"),
    (anything_at_all, "Any has no one reading"),
    (relative_guard, "must begin with"),
    (bad_guard, "whole segment"),
    (no_about, "acme.PostService: about"),
]


@pytest.mark.parametrize(("spoil", "reason"), WRONG, ids=lambda given: getattr(given, "__name__", ""))
def test_annotations_that_would_mean_less_than_they_say_are_refused(
    spoil: Callable[[File], None], reason: str, tmp_path: Path
) -> None:
    file = post_service()
    spoil(file)
    with pytest.raises(CatalogError) as wrong:
        read_capability(write_capability(tmp_path, file))
    assert reason in wrong.value.reason


def count_inherent(file: File) -> None:
    file.service[0].method[1].options.Extensions[notes.action].inherent = True


def test_what_reaches_nothing_may_be_called_by_every_program(tmp_path: Path) -> None:
    file = post_service()
    count_inherent(file)
    found = {action.name: action for action in read_capability(write_capability(tmp_path, file)).actions}
    assert found["post.count"].inherent
    assert not found["post.count"].own


@pytest.mark.parametrize("reach", ["network = true", 'folders = "granted"', 'folders = ["/srv"]', 'keeps = ["trash"]'])
def test_what_reaches_anything_needs_a_grant(reach: str, tmp_path: Path) -> None:
    file = post_service()
    count_inherent(file)
    with pytest.raises(CatalogError, match="no folders and no network"):
        read_capability(write_capability(tmp_path, file, GOOD + reach))


GOOD = 'name = "post"\nservice = "acme.PostService"\ndescriptors = "post.binpb"\ncommand = ["./post"]\n'


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("name = ", "not TOML"),
        (GOOD + "colour = 1", "unknown field `colour`"),
        (GOOD.replace('name = "post"', ""), "required field `name`"),
        (GOOD.replace('"post"', '"mail"', 1), "is named post, not mail"),
        (GOOD.replace("acme.PostService", "acme.Postal"), "no service acme.Postal"),
        (GOOD + 'module = "agentos.v1.files_pb2"', "one of module and descriptors"),
        (GOOD.replace('descriptors = "post.binpb"', 'module = "os"'), "generated code of agentos.v1 only"),
        (GOOD.replace('descriptors = "post.binpb"', 'module = "agentos.v1.none_pb2"'), "no module agentos.v1.none_pb2"),
        (GOOD.replace("post.binpb", "../post.binpb"), "a file beside it"),
        (GOOD.replace("post.binpb", "other.binpb"), "cannot be read"),
        (GOOD.replace("post.binpb", "capability.toml"), "not a whole set of descriptors"),
        (GOOD.replace('["./post"]', "[]"), "command is empty"),
        (GOOD + 'folders = "all"', "folders is"),
        (GOOD + 'folders = ["x"]', "folders are absolute"),
        (GOOD + 'network = "yes"', "Expected `bool`"),
        (GOOD + 'keeps = ["../x"]', "plain names"),
        (GOOD + 'memory = "a lot"', "memory cannot be that"),
        (GOOD + 'memory = "127MiB"', "memory cannot be that"),
        (GOOD + 'memory = "17GiB"', "memory cannot be that"),
        ("#" * (1 << 17), "larger than"),
    ],
)
def test_a_capability_toml_is_read_strictly(toml: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as wrong:
        read_capability(write_capability(tmp_path, post_service(), toml))
    assert reason in wrong.value.reason
    assert str(tmp_path) in wrong.value.reason or "module" in wrong.value.reason


def test_a_folder_without_a_capability_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_capability(tmp_path)


def test_descriptors_that_lack_a_file_they_need_are_refused(tmp_path: Path) -> None:
    folder = write_capability(tmp_path, post_service())
    alone = descriptor_pb2.FileDescriptorSet(file=[post_service()])
    (folder / "post.binpb").write_bytes(alone.SerializeToString())
    with pytest.raises(CatalogError, match="not a whole set"):
        read_capability(folder)
