"""Bounds that a manifest may leave out, those that only a capability can check, and the secrets that go with a call."""

from __future__ import annotations

import json

import pytest

from agentos.kernel import bounds, wire
from agentos.kernel.call import Call, read
from agentos.kernel.decide import manifest_line
from agentos.manifest import reading
from agentos.manifest.block import block
from agentos.manifest.lines import Limits, ManifestLine
from agentos.manifest.rules import Catalog
from agentos.manifest.summary import summary
from agentos.manifest.toml import ManifestError
from agentos.v1 import annotations_pb2 as notes
from tests.authority.letters import HOME, START, add_field, post_service, shipped, write_capability


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    file = post_service()
    request = file.message_type[0]
    kind = request.field[2].options.Extensions[notes.field]
    kind.default.extend(["small", "large"])
    kind.among.extend(["small", "large", "huge"])
    way = add_field(request, "way", notes.MATCHER_AT_USE).options.Extensions[notes.field]
    way.default.append("road")
    way.among.extend(["road", "sea"])
    add_field(request, "secret", notes.MATCHER_SECRET)
    add_field(request, "street", notes.MATCHER_URL_PATH).options.Extensions[notes.field].default.append("/**")
    file.service[0].method[0].options.Extensions[notes.action].summary = "send {kind} to {to}{:street} over {server}"
    return shipped(write_capability(tmp_path_factory.mktemp("post"), file))


def line(catalog: Catalog, toml: str) -> ManifestLine:
    whole = f'[grants]\n"post.send" = {{ {toml} }}\n'
    [found] = reading.read(b"", "/p.py", whole.encode(), "/agent.toml", catalog, START, HOME).lines
    return found


def call(catalog: Catalog, **args: object) -> Call:
    asked = {"to": "me@a.example", "server": "a.example"} | args
    [claim] = wire.read(json.dumps({"calls": [{"action": "post.send", "args": asked}]})).calls
    return read(claim, "r1", 1, catalog, START, HOME)


def test_a_line_that_leaves_a_bound_out_has_its_default_and_says_so_nowhere(catalog: Catalog) -> None:
    found = line(catalog, 'to = ["*@a.example"], server = ["a.example"]')
    assert dict(found.bounds)["kind"] == ("large", "small")
    assert dict(found.bounds)["way"] == ("road",)
    assert "secret" not in dict(found.bounds)
    assert "small" not in found.written
    assert "kind" not in block("p", [found], Limits(), START, HOME, catalog)


def test_what_a_line_says_stands_in_place_of_the_default(catalog: Catalog) -> None:
    found = line(
        catalog, 'to = ["*@a.example"], server = ["a.example"], kind = "huge", way = ["sea"], secret = "stamp"'
    )
    assert {name: dict(found.bounds)[name] for name in ("kind", "way", "secret")} == {
        "kind": ("huge",), "way": ("sea",), "secret": ("stamp",),
    }  # fmt: skip
    written = block("p", [found], Limits(), START, HOME, catalog)
    assert 'secret = ["stamp"]' in written
    again = reading.read(written.encode(), "/p.py", b"", "", catalog, START, HOME).lines
    assert [each.bounds for each in again] == [found.bounds]


def test_a_value_that_there_is_not_is_refused_with_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(ManifestError) as wrong:
        line(catalog, 'to = ["*@a.example"], server = ["a.example"], kind = "smal"')
    assert (wrong.value.reason, wrong.value.hint) == (
        "kind cannot be smal",
        "did you mean small? it is one of small, large, huge",
    )


def test_a_request_that_leaves_a_field_empty_means_what_is_usual(catalog: Catalog) -> None:
    assert dict(call(catalog).targets)["kind"] == "small"
    assert dict(call(catalog).targets)["street"] == "/"
    assert call(catalog).digest == call(catalog, kind="small").digest


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"kind": "tiny"}, "kind is one of small, large, huge"),
        ({"way": "sea"}, "way is for the manifest to say"),
        ({"secret": "stamp"}, "secret is for the manifest to say"),
    ],
)
def test_a_request_cannot_say_what_is_not_its_own_to_say(catalog: Catalog, args: dict[str, str], reason: str) -> None:
    with pytest.raises(wire.BadRequest, match=reason):
        call(catalog, **args)


def test_the_bounds_of_one_call_have_what_its_line_says_and_else_the_default(catalog: Catalog) -> None:
    alone = dict(bounds.of_call(call(catalog)))
    assert alone["way"] == ("road",)
    assert "secret" not in alone
    under = dict(bounds.of_call(call(catalog), (("secret", ("stamp",)), ("way", ("sea",)))))
    assert (under["way"], under["secret"]) == (("sea",), ("stamp",))


def test_a_narrower_grant_may_have_fewer_secrets_and_no_other_way(catalog: Catalog) -> None:
    rule = catalog.actions["post.send"]
    wide = dict(line(catalog, 'to = ["*@a.example"], server = ["a.example"], secret = ["a", "b"]').bounds)

    def within(**other: tuple[str, ...]) -> bool:
        return bounds.contains(rule, tuple(sorted(wide.items())), tuple(sorted((wide | other).items())))

    assert within()
    assert within(secret=("a",))
    assert within(secret=())
    assert not within(secret=("c",))
    assert not within(way=("sea",))
    assert not within(way=())
    assert not within(kind=("huge",))


def test_a_summary_leaves_out_what_is_as_usual(catalog: Catalog) -> None:
    assert summary(call(catalog).rule, call(catalog).targets) == "send small to me@a.example:/ over a.example"
    rule = catalog.actions["post.send"]
    assert summary(rule, [("to", "x"), ("street", "/**"), ("server", "s"), ("kind", "large"), ("kind", "small")]) == (
        "send large, small to x over s"
    )


def test_the_line_that_would_allow_a_call_says_only_what_is_unusual(catalog: Catalog) -> None:
    assert manifest_line(call(catalog)) == '"post.send" = { to = ["me@a.example"], server = ["a.example"] }'
    assert 'kind = ["huge"]' in manifest_line(call(catalog, kind="huge"))


def test_the_middle_scope_of_a_url_is_its_host(catalog: Catalog) -> None:
    asked = call(catalog, street="/a/b?c")
    exact = bounds.of_call(asked)
    assert dict(exact)["street"] == ("/a/b",)
    assert dict(bounds.broader(asked, exact))["street"] == ("/**",)


def test_a_name_that_looks_like_a_place_in_the_summary_is_shown_as_it_is(catalog: Catalog) -> None:
    args = {"path": "my {to} and {path}", "to": "new"}
    [claim] = wire.read(json.dumps({"calls": [{"action": "files.move", "args": args}]})).calls
    asked = read(claim, "r1", 1, catalog, START, HOME)
    assert summary(asked.rule, asked.targets) == f"move {START}/my {{to}} and {{path}} to {START}/new"


NAMED_TO_MISLEAD = ['x", "/home/me/.ssh/id_rsa', "a[1].txt", "b\\c", "d*", 'e"] }, ask = "never', "f'g"]


@pytest.mark.parametrize("name", NAMED_TO_MISLEAD)
def test_the_line_that_would_allow_a_call_allows_just_that_whatever_its_names(catalog: Catalog, name: str) -> None:
    [claim] = wire.read(json.dumps({"calls": [{"action": "files.read", "args": {"path": name}}]})).calls
    asked = read(claim, "r1", 1, catalog, START, HOME)
    whole = "[grants]\n" + manifest_line(asked) + "\n"
    [found] = reading.read(b"", "/p.py", whole.encode(), "/agent.toml", catalog, START, HOME).lines
    assert (found.action, found.bounds, found.ask_always) == ("files.read", bounds.of_call(asked), False)
