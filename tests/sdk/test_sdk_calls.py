"""The generated modules: what goes out for a Python call, and what comes back as Python."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, assert_type

import pytest

from agentos.sdk import AgentError, Call, NotFound, clock, console, files, gather, random, wire

ENTRY = {"name": "a.md", "kind": "FILE_KIND_FILE", "size": "12", "modified_ms": "1767268800000", "version": "v1"}


@pytest.fixture
def replies() -> Iterator[list[dict[str, Any]]]:
    waiting: list[dict[str, Any]] = []

    def invoke(request: str) -> str:
        sent.extend(json.loads(request)["calls"])
        return json.dumps({"results": [waiting.pop(0) for _ in json.loads(request)["calls"]]})

    sent.clear()
    before = wire.connect(invoke)
    yield waiting
    wire.connect(before)


sent: list[dict[str, Any]] = []


def test_64_bit_numbers_come_as_strings_and_become_numbers(replies: list[dict[str, Any]]) -> None:
    replies.append({"value": {"entry": ENTRY}})
    entry = files.stat("a.md")
    assert entry == files.FileEntry("a.md", files.FileKind.FILE, 12, 1767268800000, "v1")
    assert entry.kind == "file"


def test_what_is_absent_from_a_reply_is_its_default(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {}}, {"value": {}}, {"value": {}}]
    assert files.stat("a.md") == files.FileEntry()
    assert files.read("a.md") == files.ReadResponse(text="", data=b"", size=0, version="")
    assert files.list(".") == ()


def test_bytes_travel_as_base64(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {"data": "aGk="}}, {"value": {}}]
    assert random.bytes(2) == b"hi"
    files.write("a.bin", data=b"\xff\x00")
    assert sent[1]["args"]["data"] == "/wA="


def test_a_reply_with_one_field_is_that_field_and_one_with_none_is_none(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {"entries": [ENTRY, ENTRY]}}, {"value": {}}]
    entries = files.list("~/notes")
    assert [entry.name for entry in entries] == ["a.md", "a.md"]
    assert files.trash.call("a.md")() is None


def test_an_enum_word_from_the_future_reads_as_unspecified(replies: list[dict[str, Any]]) -> None:
    replies.append({"value": {"entry": {**ENTRY, "kind": "FILE_KIND_PORTAL"}}})
    assert files.stat("a.md").kind is files.FileKind.UNSPECIFIED


def test_paths_go_out_as_they_are_written(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {}}] * 3
    for path in ("notes/../x", "~/a.md", PurePosixPath("/home/me/a.md")):
        files.stat(path)
    assert [call["args"]["path"] for call in sent] == ["notes/../x", "~/a.md", "/home/me/a.md"]


def test_gather_keeps_types_and_order_and_gives_errors_as_values(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {"size": "3"}}, {"error": {"code": "not_found", "reason": "b.md is not there"}}]
    first, second = gather(files.read.call("a.md", length=3), files.stat.call("b.md"))
    assert_type(first, files.ReadResponse | AgentError)
    assert_type(second, files.FileEntry | AgentError)
    assert isinstance(first, files.ReadResponse)
    assert first.size == 3
    assert isinstance(second, NotFound)


def test_gather_takes_any_number_of_one_kind(replies: list[dict[str, Any]]) -> None:
    replies += [{"value": {"entry": ENTRY}}] * 20
    entries = gather(*[files.stat.call(f"{n}.md") for n in range(20)])
    assert_type(entries, tuple[files.FileEntry | AgentError, ...])
    assert len(entries) == 20


def test_a_call_is_a_value_that_is_made_when_called(replies: list[dict[str, Any]]) -> None:
    call = clock.now.call()
    assert_type(call, Call[clock.NowResponse])
    assert sent == []
    replies.append({"value": {"unix_ms": "5", "offset_s": 3600}})
    assert call() == clock.NowResponse(unix_ms=5, offset_s=3600)


def test_each_function_shows_its_own_signature_and_the_grant_it_needs() -> None:
    assert str(inspect.signature(files.mkdir)) == "(path: 'Path', *, parents: 'bool' = False) -> 'FileEntry'"
    assert "Needs a grant of files.list or files.read, bounded by path." in (inspect.getdoc(files.list) or "")
    assert "Every program may make this call." in (inspect.getdoc(console.read_line) or "")


def test_a_file_larger_than_a_reply_is_read_whole_at_one_version(replies: list[dict[str, Any]]) -> None:
    replies += [
        {"value": {"data": "aGVs", "size": "5", "version": "v7"}},
        {"value": {"data": "bG8=", "size": "5", "version": "v7"}},
    ]
    assert files.read_text("a.md") == "hello"
    assert sent[1]["args"] == {"path": "a.md", "offset": 3, "if_version": "v7"}
