"""Reading and writing manifests. The golden ones are in tests/golden: a program or an agent.toml, and beside it what
`read` makes of it as JSON, or the error it ends with. A new case is written by hand and its answer read by eye."""

from __future__ import annotations

import json
import re
import time
import tomllib

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentos.manifest import script
from agentos.manifest.block import block
from agentos.manifest.bounds import kinds_of, needed
from agentos.manifest.limits import RANGES
from agentos.manifest.lines import Limits, Manifest, ManifestLine
from agentos.manifest.reading import program_digest, read
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import Document, ManifestError, Place, shown
from agentos.manifest.trigger import Trigger, trigger
from agentos.v1 import matchers
from agentos.v1.paths import canonical_path
from agentos.v1.patterns import canonical_pattern
from tests.authority.letters import HOME, REPOSITORY, START

GOLDEN = REPOSITORY / "tests" / "golden"
CASES = sorted({path.stem for path in GOLDEN.iterdir() if path.suffix in (".py", ".toml")})


def parsed(
    catalog: Catalog, content: str | bytes, toml: str | bytes = b"", path: str = f"{START}/links.py"
) -> Manifest:
    raw = content.encode() if isinstance(content, str) else content
    beside = toml.encode() if isinstance(toml, str) else toml
    return read(raw, path, beside, f"{START}/agent.toml", catalog, START, HOME)


def wrong(catalog: Catalog, content: str | bytes, toml: str | bytes = b"") -> ManifestError:
    with pytest.raises(ManifestError) as raised:
        parsed(catalog, content, toml)
    return raised.value


def script_with(*lines: str) -> str:
    return "\n".join(["# /// script", *(f"# {line}" for line in lines), "# ///", "print('x')", ""])


# ---- golden


def golden(catalog: Catalog, case: str) -> str:
    program, beside = GOLDEN / f"{case}.py", GOLDEN / f"{case}.toml"
    content = program.read_bytes() if program.exists() else b"print('x')\n"
    toml = beside.read_bytes() if beside.exists() else b""
    try:
        manifest = read(content, f"{START}/{case}.py", toml, f"{START}/agent.toml", catalog, START, HOME)
    except ManifestError as error:
        return f"{error.placed}\n{error.hint}\n"
    return json.dumps(explained(manifest), indent=2, ensure_ascii=False) + "\n"


def explained(manifest: Manifest) -> object:
    """Much as `agentos explain --json` shows it; limits only where they are not the defaults."""
    changed = {
        field: value
        for field, value in msgspec.to_builtins(manifest.limits).items()
        if value != getattr(Limits(), field)
    }
    lines = [
        {
            "action": line.action,
            **dict(line.bounds),
            **({"ask": "always"} if line.ask_always else {}),
            "where": line.where,
            "written": line.written,
        }
        for line in manifest.lines
    ]
    return {
        "name": manifest.name,
        "file": manifest.file,
        "present": manifest.present,
        "lines": lines,
        "limits": changed,
        **({"on": [explained_trigger(each) for each in manifest.on]} if manifest.on else {}),
    }


def explained_trigger(text: str) -> object:
    """What starts it; settings only where they are not the defaults."""
    told = msgspec.to_builtins(trigger(text))
    return {field: value for field, value in told.items() if value != getattr(Trigger(""), field)}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, catalog: Catalog) -> None:
    found = golden(catalog, case)
    expected = GOLDEN / f"{case}.{'json' if found.startswith('{') else 'error'}"
    assert expected.exists(), f"{expected.name} is missing; it would be\n{found}"
    assert found == expected.read_text()


def test_there_are_enough_golden_cases_and_none_is_left_over() -> None:
    assert len(CASES) >= 30
    answers = {path.stem for path in GOLDEN.iterdir() if path.suffix in (".json", ".error")}
    assert answers == set(CASES)


# ---- the file


@pytest.mark.parametrize(("content", "line"), [
    (b"\xff", 1), (b"x = 1\n\n# \x80\n", 3), (b"\n\xff\n\n", 2), ("# ä".encode("latin-1"), 1), (b"\xed\xa0\x80", 1),
])  # fmt: skip
def test_a_script_that_is_not_utf8_is_refused_with_its_line(catalog: Catalog, content: bytes, line: int) -> None:
    error = wrong(catalog, content)
    assert (error.reason, error.line) == ("not UTF-8", line)


def test_a_manifest_that_is_not_utf8_is_refused(catalog: Catalog) -> None:
    error = wrong(catalog, "", b'name = "x"\n\xff')
    assert (error.file, error.line, error.reason) == (f"{START}/agent.toml", 2, "not UTF-8")


def test_a_script_of_more_than_a_mebibyte_is_refused_at_once(catalog: Catalog) -> None:
    assert "more than 1 MiB" in wrong(catalog, b"#" * (50 << 20)).reason


def test_a_component_has_no_block_but_may_have_an_agent_toml(catalog: Catalog) -> None:
    component = b"\0asm\r\0\1\0" + script_with("[tool.agentos]").encode() + b"\xff" * (2 << 20)
    assert not parsed(catalog, component, path="/x/wordcount.wasm").present
    manifest = parsed(catalog, component, '[grants]\n"files.read" = { path = "a" }\n', path="/x/wordcount.wasm")
    assert manifest.name == "wordcount"
    assert manifest.lines[0].where == "agent.toml:2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_ends_of_lines_and_a_byte_order_mark_are_read(catalog: Catalog, end: str) -> None:
    text = script_with("[tool.agentos]", "[tool.agentos.grants]", '"files.read" = { path = "a" }')
    manifest = parsed(catalog, "\ufeff" + text.replace("\n", end))
    assert manifest.lines[0].where == "links.py:4"


@pytest.mark.parametrize(("line", "reason", "hint"), [
    ("tool = 3", "tool is not a table", "write [tool.agentos]"),
    ("tool.agentos = 3", "it must be a table", "write [tool.agentos]"),
    ('dependencies = "requests"', "dependencies is a list", "take it out"),
    ("requires-python = 3", "requires-python is a text such as >=3.11", ""),
    ('requires-python = ""', "requires-python is a text such as >=3.11", ""),
    ("requires-python = []", "requires-python is a text such as >=3.11", ""),
])  # fmt: skip
def test_what_stands_in_a_block_and_is_of_another_kind_is_an_error_with_its_line(
    catalog: Catalog, line: str, reason: str, hint: str
) -> None:
    error = wrong(catalog, script_with("# first", line))
    assert (error.line, error.reason, error.hint) == (3, reason, hint)


def watching(path: str, grants: str) -> str:
    return f'on = [{{ event = "files.changed", path = ["{path}"] }}]\n[grants]\n{grants}\n'


def test_a_program_is_told_of_changes_of_what_it_may_look_at(catalog: Catalog) -> None:
    made = parsed(catalog, "", watching("notes/*.md", '"files.read" = [{ path = "a" }, { path = "notes/**" }]'))
    assert [trigger(each).paths for each in made.on] == [(f"{START}/notes/*.md",)]


@pytest.mark.parametrize(
    "grants",
    [
        '"files.read" = { path = "notes/a" }', '"files.read" = { path = "notes/**", ask = "always" }',
        '"files.append" = { path = "notes/**" }',
    ],
)  # fmt: skip
def test_and_of_nothing_else(catalog: Catalog, grants: str) -> None:
    error = wrong(catalog, "", watching("notes/*.md", grants))
    assert (error.line, error.reason) == (1, "no line of grants lets it look at notes/*.md")
    assert error.hint == 'write "files.read" = { path = ["notes/*.md"] } below grants'


def test_a_name_is_taken_from_the_file_where_none_is_given(catalog: Catalog) -> None:
    assert parsed(catalog, "").name == "links"
    assert read(b"", "/x/.\u202e\n.py", b"", "", catalog, START, HOME).name == "program"


def test_an_error_never_carries_a_character_that_cannot_be_seen(catalog: Catalog) -> None:
    for line in ('"a\\u202e" = 1', '[tool.agentos]\n# "\\u001b[2J" = 1', 'dependencies = ["\\u200b"]'):
        error = wrong(catalog, script_with(line))
        assert (error.reason + error.hint).isprintable()


@pytest.mark.parametrize("value", ["{}", "3", "[]"])
def test_a_capability_without_an_action_is_an_error_that_names_its_actions(catalog: Catalog, value: str) -> None:
    error = wrong(catalog, "", f"[grants]\nfiles = {value}\n")
    assert (error.line, error.reason) == (2, "files names no action")
    assert error.hint.startswith("actions are files.list, ")


def test_a_bound_that_is_like_no_other_is_an_error_that_names_those_there_are(catalog: Catalog) -> None:
    error = wrong(catalog, "", '[grants]\n"files.read" = { path = "a", zzz = 1 }\n')
    assert (error.reason, error.hint) == ("files.read has no bound zzz", "bounds are path")


# ---- the block, against the expression of the specification

REFERENCE = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
comment_lines = st.sampled_from(
    ["# /// script", "# ///", "#", "# a", "#b", "x", "", "# /// other", "# /// script ", "#\t"]
)


@given(st.lists(comment_lines, max_size=12))
@example(["# /// script", "# ///", "# ///"])
@example(["# /// script", "# a", "# ///", "#", "# /// script", "# a", "# ///"])
@example(["# /// script", "# a", "# ///", "# /// other", "# a", "# ///", "# a"])
@example(["# ///", "# /// script", "# a", "", "# ///", "# /// other", "# a", "# ///"])
def test_blocks_are_those_of_the_specification(lines: list[str]) -> None:
    text = "\n".join(lines)
    expected = [
        (m["type"], text.count("\n", 0, m.start()), text.count("\n", 0, m.end())) for m in REFERENCE.finditer(text)
    ]
    assert list(script.blocks(text.split("\n"))) == expected


@given(st.lists(comment_lines, max_size=12))
def test_a_block_is_found_once_or_not_at_all(lines: list[str]) -> None:
    try:
        found = script.find("\n".join(lines), "x.py")
    except ManifestError:
        return
    expected = [m for m in REFERENCE.finditer("\n".join(lines)) if m["type"] == "script"]
    assert (found is not None) == (len(expected) == 1)


def test_a_block_is_the_text_behind_its_marks_and_knows_its_first_line() -> None:
    found = script.find("x = 1\n# /// script\n# a\n#  b\n#\n# ///\n# c\n", "x.py")
    assert found == script.Block("a\n b\n", 3)


@pytest.mark.parametrize("kind", ["scrip", "Script", "scripts", "skript"])
def test_a_block_of_almost_that_kind_is_an_error_with_its_line(kind: str) -> None:
    with pytest.raises(ManifestError, match=rf"x.py:2: there is no block of kind {kind}$"):
        script.find(f"\n# /// {kind}\n# a\n# ///", "x.py")


@pytest.mark.parametrize("kind", ["data", "test", "tool", "a-script-of-another-tool"])
def test_a_block_of_another_kind_is_not_ours(kind: str) -> None:
    assert script.find(f"# /// {kind}\n# a\n# ///", "x.py") is None


# ---- lines of keys

toml_texts = st.sampled_from([
    'a = 1\n"b.c" = [1, [2,\n3], {d = "}"}]\n',
    "[t]\nx.y = '''\n'']\n'''\nz = [ # ]\n 1 ]\n",
    '[[r.s]]\nk = """a\\"""\n\n"""""\n[[r.s]]\n[r.s.u]\nv = {w = {}, "q\\u0041" = []}\n',
    "n = 1979-05-27T07:32:00Z # x\nf = -1.5e3\n'lit eral' = true\n",
    '\n[ p . "q" ]\nr=[1,[2,{s="t"}]]\nu="v"\n',
])  # fmt: skip


@given(st.lists(toml_texts, unique=True, max_size=3).map("".join))
def test_every_place_of_a_document_has_its_own_line(text: str) -> None:
    try:
        loaded = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    document = Document(text, "x.toml")
    for place in every_place(loaded):
        assert place in document._lines, place
        key = next(str(part) for part in reversed(place) if isinstance(part, str))
        lines = text.split("\n")
        if not isinstance(place[-1], int):
            assert key in lines[document.line(place) - 1] or "u0041" in lines[document.line(place) - 1]


def test_what_stands_nowhere_is_told_by_the_nearest_table_around_it() -> None:
    document = Document("\na = 1\n[t]\nb = { c = 1 }\n", "x.toml", 5)
    assert [document.line(place) for place in [("a",), ("t", "b", "d"), ("t", "x", "y"), ("z",)]] == [6, 8, 7, 5]


def broken(text: str) -> ManifestError:
    with pytest.raises(ManifestError) as raised:
        Document(text, "x.toml", 5)
    return raised.value


def test_a_text_that_is_no_toml_is_told_by_its_line() -> None:
    assert str(broken("\na = 1\nb = ]")).startswith("x.toml:7: not TOML: ")
    assert broken("\n" + "a." * 32 + "a = 1").line == 6
    assert broken("\na = 1\n" + "a." * 32 + "a = 1").line == 7
    assert broken('\na = "\n').line == 6
    assert broken("\na = [\n").line == 6, "it ends on its last line that is not empty"


def test_a_number_beyond_all_bounds_is_told_by_the_first_line_since_nothing_says_where_it_is() -> None:
    found = broken("\na = " + "9" * 5_000)
    assert (found.line, found.reason) == (5, "not TOML: a number or date is out of range")


def test_a_manifest_may_have_64_kib_and_not_a_character_more() -> None:
    assert Document("#" * 65_536, "x.toml").table == {}
    assert broken("#" * 65_537).reason == "the manifest is larger than 64 KiB"


def test_text_of_a_program_is_shown_cut_off_and_with_each_character_visible() -> None:
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 79 + "\u202e" + "y") == "x" * 79 + "\\u202e…"


def every_place(value: object, place: Place = ()) -> list[Place]:
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [found for key, each in inner for found in ((*place, key), *every_place(each, (*place, key)))]


# ---- limits


@pytest.mark.parametrize("key", RANGES)
def test_a_limit_may_be_its_least_and_its_most_and_no_more(catalog: Catalog, key: str) -> None:
    limit = RANGES[key]
    suffix = "ms" if limit.unit == "time" else ""
    for count in (limit.least, limit.most):
        made = parsed(catalog, "", f'[limits]\n{key} = "{count}{suffix}"\n').limits
        assert getattr(made, limit.field) == count
    for count in (limit.least - 1, limit.most + 1):
        error = wrong(catalog, "", f'[limits]\n{key} = "{count}{suffix}"\n')
        assert error.line == 2
        assert key in error.reason


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('memory = "9TB"', "memory may be 64MiB to 2GiB"),
        ('cpu = "999999s"', "cpu may be 1s to 10m"),
        ('wall = "25h"', "wall may be 100ms to 24h"),
        ("calls = 2_000_000", "calls may be 1 to 1000000"),
        ('output = "9TB"', "output may be 1KiB to 12MiB"),
    ],
)
def test_a_limit_out_of_range_is_told_what_it_may_be(catalog: Catalog, line: str, hint: str) -> None:
    assert wrong(catalog, "", f"[limits]\n{line}\n").hint == hint


def test_a_time_has_one_of_four_units(catalog: Catalog) -> None:
    for text, count in (("1h", 3_600_000), ("2 m", 120_000), ("90s", 90_000), ("101ms", 101)):
        assert parsed(catalog, "", f'[limits]\nwall = "{text}"\n').limits.wall_ms == count
    for bad in ('"1d"', '"1.5s"', '"-1s"', '"5"', "60", "true", '"1s "', '"1234567890ms"'):
        assert wrong(catalog, "", f"[limits]\nwall = {bad}\n").reason == "wall cannot be that"
    for bad in ("true", "1.5", "1e3", "0", '"many"', "[1]", '["1"]', "{ a = 1 }", "2026-01-02"):
        assert wrong(catalog, "", f"[limits]\ncalls = {bad}\n").reason == "calls cannot be that"


def test_a_manifest_has_so_many_grants_and_values_and_no_more(catalog: Catalog) -> None:
    def grants(count: int) -> str:
        return '[grants]\n"files.read" = [' + ", ".join(f'{{ path = "a{n}" }}' for n in range(count)) + "]\n"

    def values(count: int) -> str:
        return '[grants]\n"files.read" = { path = [' + ", ".join(f'"a{n}"' for n in range(count)) + "] }\n"

    assert len(parsed(catalog, "", grants(100)).lines) == 100
    assert wrong(catalog, "", grants(101)).reason == "more than 100 grants"
    assert len(dict(parsed(catalog, "", values(256)).lines[0].bounds)["path"]) == 256
    assert wrong(catalog, "", values(257)).reason == "path has more than 256 values"


def test_a_script_may_have_a_mebibyte_and_not_a_byte_more(catalog: Catalog) -> None:
    assert not parsed(catalog, b"#" * (1 << 20)).present
    error = wrong(catalog, b"#" * ((1 << 20) + 1))
    assert (error.line, error.reason) == (0, "a script of more than 1 MiB"), "it has no line to look at"
    assert error.placed == f"{error.file}: {error.reason}"


def test_a_name_that_is_taken_from_a_file_is_one_that_could_be_written(catalog: Catalog) -> None:
    for file, name in (("a" * 70, "a" * 64), ("_. -a b", "a b"), ("é-x", "x"), ("über", "ber"), ("__", "program")):
        assert read(b"", f"/x/{file}.py", b"", "", catalog, START, HOME).name == name


def test_the_defaults_lie_within_the_ceilings() -> None:
    for limit in RANGES.values():
        assert limit.least <= getattr(Limits(), limit.field) <= limit.most


# ---- hostile and random input


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_a_manifest_or_a_manifest_error(catalog: Catalog, content: bytes, toml: bytes) -> None:
    for source, beside in ((content, toml), (b"", toml), (script_with("").encode()[:-15] + content, b"")):
        try:
            parsed(catalog, source, beside)
        except ManifestError:
            pass


scalars = st.one_of(
    st.sampled_from(
        ["notes/**", "a**", "", "~", "/etc/x", "/proc/1", "always", "128MiB", "5s", "*@a.com", "*.a.com", "..", "a\\"]
    ),
    st.integers(-5, 10**20),
    st.booleans(),
    st.floats(),
)
KEYS = "files.read files read post.send clock.now path bytes ask name on grants limits memory cpu tool agentos to size"
keys = st.sampled_from([*KEYS.split(), "x", "\u202e"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def as_toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case bool():
            return str(value).lower()
        case float():
            return str(value)
        case _:
            return json.dumps(value)


def tried(catalog: Catalog, toml: str) -> tuple[Manifest | None, ManifestError | None]:
    try:
        return parsed(catalog, "", toml), None
    except ManifestError as error:
        return None, error


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_any_toml_is_a_manifest_or_a_manifest_error_with_a_line(catalog: Catalog, table: dict[str, object]) -> None:
    text = "".join(f"{json.dumps(key)} = {as_toml(value)}\n" for key, value in table.items())
    manifest, error = tried(catalog, text)
    if manifest is None:
        assert error is not None
        assert 1 <= error.line <= text.count("\n") + 1
        assert (error.reason + error.hint).isprintable()
        return
    for line in manifest.lines:
        for bound, patterns in line.bounds:
            kind = kinds_of(catalog.actions[line.action])[bound]
            assert patterns
            assert all(canonical_pattern(kind, p, "/q", "/q") == p for p in patterns)
        assert set(needed(catalog.actions[line.action])) <= dict(line.bounds).keys()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "x = " + "[" * 60_000,
        "x = " + "{a=" * 20_000,
        "a." * 30_000 + "a = 1",
        "x = " + "9" * 60_000,
        "x = 9e" + "9" * 60_000,
        'x = "' + "\\" * 60_000,
        "x = 2020-99-99",
        '"""' * 20_000,
        "x = [" + '"a",\n' * 10_000 + "]",
        "\n".join(f"k{i} = {i}" for i in range(5_000)),
        "[[grants.files.read]]\n" * 2_500,
        "[a.b.c.d]\n" + "#\n" * 30_000,
        "x" * 70_000,
        "#" * 70_000,
    ],
)
def test_a_manifest_made_to_be_slow_or_deep_is_refused_quickly(catalog: Catalog, text: str) -> None:
    began = time.process_time()
    wrong(catalog, "", text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("line", ["# /// script", "# /// a", "# ///", "#", "# /// script\n#\n# ///\n\n"])
def test_a_script_of_opening_lines_is_read_in_linear_time(catalog: Catalog, line: str) -> None:
    text = (line + "\n") * ((1 << 20) // (len(line) + 1))
    began = time.process_time()
    try:
        parsed(catalog, text)
    except ManifestError:
        pass
    assert time.process_time() - began < 3


# ---- writing a block

words = st.text(st.sampled_from("ab .-*?[]\\~ü\"'#"), min_size=1, max_size=6).filter(lambda s: s not in (".", ".."))
places = st.lists(words, min_size=1, max_size=3).map("/".join)
folders = st.sampled_from([START, HOME, "/", "/srv", "/home/me/w*rk"])


@st.composite
def manifest_lines(draw: st.DrawFn) -> ManifestLine:
    paths = draw(st.sets(st.tuples(folders, places, st.sampled_from(["", "/**", "/*.md"])), min_size=1, max_size=3))
    written = tuple(
        sorted(matchers.literal(matchers.PATH, canonical_path(f"{a}/{b}", "/", "/")) + c for a, b, c in paths)
    )
    action = draw(st.sampled_from(["files.read", "files.write", "files.trash"]))
    bounds: tuple[tuple[str, tuple[str, ...]], ...] = (("path", written),)
    if action == "files.write" and draw(st.booleans()):
        bounds = (("bytes", (str(draw(st.integers(1, 10**12))),)), *bounds)
    return ManifestLine(action, bounds, draw(st.booleans()), "", "")


post_lines = st.just(
    ManifestLine(
        "post.send",
        (
            ("kind", ("/home/me/work/x", 'über \\ "q"')),
            ("server", ("*.a.com",)),
            ("size", ("5",)),
            ("to", ("*@a.com",)),
        ),
        False,
        "",
        "",
    )
)
some_limits = st.builds(
    Limits,
    memory_bytes=st.integers(64 << 20, 2 << 30),
    cpu_ms=st.integers(1, 600).map(lambda s: s * 1000),
    wall_ms=st.integers(100, 86_400_000),
    calls=st.integers(1, 1_000_000),
    output_bytes=st.integers(1024, 12 << 20),
)


@settings(deadline=None)
@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,20}", fullmatch=True).filter(lambda s: not s.endswith(".")),
    st.lists(st.one_of(manifest_lines(), post_lines), max_size=4),
    some_limits,
    st.sampled_from([START, "/", HOME, "/home/me/w*rk"]),
)
def test_a_written_block_reads_back_to_the_same(
    catalog: Catalog, name: str, lines: list[ManifestLine], limits: Limits, start: str
) -> None:
    text = block(name, lines, limits, start, HOME, catalog)
    manifest = read((text + "print()\n").encode(), "/x/y.py", b"", "", catalog, start, HOME)
    order = {line.action: i for i, line in reversed(list(enumerate(lines)))}
    expected = sorted(lines, key=lambda line: order[line.action])
    assert [(m.action, m.bounds, m.ask_always) for m in manifest.lines] == [
        (m.action, m.bounds, m.ask_always) for m in expected
    ]
    assert (manifest.name, manifest.limits) == (name, limits)


def test_a_block_is_written_as_one_would_by_hand(catalog: Catalog) -> None:
    lines = [
        ManifestLine(
            "files.read", (("path", (f"{START}/notes/**/*.md", f"{HOME}/todo.txt", "/srv/x")),), False, "", ""
        ),
        ManifestLine("files.write", (("bytes", ("1000",)), ("path", (f"{START}/report.md",))), True, "", ""),
    ]
    assert block("links", lines, Limits(memory_bytes=128 << 20), START, HOME, catalog) == (
        "# /// script\n"
        "# [tool.agentos]\n"
        '# name = "links"\n'
        '# limits = { memory = "128MiB" }\n'
        "#\n"
        "# [tool.agentos.grants]\n"
        '# "files.read" = { path = ["notes/**/*.md", "~/todo.txt", "/srv/x"] }\n'
        '# "files.write" = { bytes = 1000, path = ["report.md"], ask = "always" }\n'
        "# ///\n"
    )


# ---- digests


def test_a_program_is_named_by_source_and_manifest_apart() -> None:
    assert program_digest(b"ab", b"c") != program_digest(b"a", b"bc")
    assert program_digest(b"a", b"") != program_digest(b"", b"a")
    assert program_digest(b"a", b"b") != program_digest(b"a", b"c")
    assert program_digest(b"a", b"b") == program_digest(b"a", b"b")
    assert re.fullmatch(r"[0-9a-f]{64}", program_digest(b"", b""))


def test_a_program_keeps_its_digest_from_release_to_release_since_grants_are_kept_under_it() -> None:
    assert program_digest(b"print(1)\n", b"[grants]\n") == (
        "cf39ba28a6dfb829cfc0945ef8ec6217237b0c7df57d1910385e8118a97a6c45"
    )
