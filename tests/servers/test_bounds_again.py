"""What the process that acts checks again, though the kernel has: the bounds of the grant, and what was shown."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from agentos.capabilities.actions import Prepared, _perform, _perform_at_once
from agentos.capabilities.context import Context, check_bounds
from agentos.capabilities.failure import Denied, Invalid, Unavailable
from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import error_pb2, files_pb2
from tests.authority.letters import post_service, shipped, write_capability
from tests.servers.world import context, world

BOUNDS = {"kind": ("letter",), "server": ("mail.acme.com",), "size": ("4",), "to": ("*@acme.com",)}


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> type[Message]:
    return shipped(write_capability(tmp_path_factory.mktemp("post"), post_service())).actions["post.send"].request


def test_a_call_beyond_the_most_of_its_grant_is_denied(letter: type[Message]) -> None:
    under = Context(BOUNDS, {}, "", 0)
    sent = {"to": "ada@acme.com", "server": "mail.acme.com", "kind": "letter"}
    check_bounds(letter(text="1234", **sent), under)
    for change in ({"text": "12345"}, {"text": "ééé"}, {"to": "ada@evil.com"}, {"server": "evil.com"}, {"kind": ""}):
        with pytest.raises((Denied, Invalid)):
            check_bounds(letter(**(sent | {"text": "1"} | change)), under)


async def test_what_prepare_says_now_must_be_what_was_shown() -> None:
    moved: list[str] = []

    async def move(request: files_pb2.FilesMoveRequest, under: Context) -> files_pb2.FilesMoveResponse:
        moved.append(request.to)
        return files_pb2.FilesMoveResponse()

    async def resolve(request: files_pb2.FilesMoveRequest, under: Context) -> Prepared:
        return {"path": request.path, "to": request.to, "replaces": "/me/b, 3 bytes, version 1"}

    raw = files_pb2.FilesMoveRequest(path="/me/a", to="/me/b").SerializeToString()
    shown = {"path": ("/me/a",), "to": ("/me/b",), "replaces": ("",)}
    bounds = {"path": ("/me/**",), "to": ("/me/**",)}
    with pytest.raises(Unavailable):
        await _perform(files_pb2.FilesMoveRequest, move, resolve, raw, Context(bounds, shown, "", 0))
    assert moved == []
    same = shown | {"replaces": ("/me/b, 3 bytes, version 1",)}
    await _perform(files_pb2.FilesMoveRequest, move, resolve, raw, Context(bounds, same, "", 0))
    assert moved == ["/me/b"]


def test_what_is_quick_is_checked_like_all_else() -> None:
    read: list[str] = []

    def look(request: Message, under: Context) -> Message:
        assert isinstance(request, files_pb2.FilesReadRequest)
        read.append(request.path)
        return files_pb2.FilesReadResponse()

    under = Context({"path": ("/me/**",)}, {}, "", 0)
    for path, refusal in (("/other/a", Denied), ("/me/../other/a", Invalid), ("/me/a", None)):
        raw = files_pb2.FilesReadRequest(path=path).SerializeToString()
        if refusal:
            with pytest.raises(refusal):
                _perform_at_once(files_pb2.FilesReadRequest, look, raw, under)
        else:
            _perform_at_once(files_pb2.FilesReadRequest, look, raw, under)
    with pytest.raises(Invalid):
        _perform_at_once(files_pb2.FilesReadRequest, look, b"\xff\xff", under)
    assert read == ["/me/a"]


async def test_nothing_outside_the_grant_is_looked_at_for_prepare() -> None:
    """Else a capability would tell what is there, before anybody was asked."""
    async with world() as me:
        for name in ("granted", "other"):
            (me.folder / name).mkdir()
            (me.folder / name / "a").write_text("")
        under = context({"path": [me.path("granted/**")], "to": [me.path("granted/**")]})
        for path in ("other/a", "other/not-there"):
            request = files_pb2.FilesMoveRequest(path=me.path(path), to=me.path("granted/b")).SerializeToString()
            with pytest.raises(CallFailed) as refused:
                await me.servers.prepare("files", "files.move", request, under)
            assert refused.value.error.code == error_pb2.CODE_DENIED, path
