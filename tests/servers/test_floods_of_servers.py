"""Floods of a server's own socket, by who has no seal: it goes on answering the kernel, and keeps nothing of them."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import psutil
import pytest

from tests.cells.conftest import gone
from tests.kernel.test_floods import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST,
    SETTINGS,
    call_block,
    drained,
    frame,
)
from tests.servers.world import world

pytestmark = pytest.mark.slow

STREAMS, CONNECTIONS = 20_000, 100


def flood(socket_path: Path) -> None:
    """Streams that are reset at once, streams that never end, and lines that say nothing; then all hang up."""
    block = call_block(b"/agentos.v1.FilesService/Read")
    with contextlib.ExitStack() as held:
        lines = []
        for _ in range(CONNECTIONS):
            line = held.enter_context(socket.socket(socket.AF_UNIX))
            line.settimeout(10)
            line.connect(str(socket_path))
            lines.append(line)
        for ends in (END_HEADERS | END_STREAM, END_HEADERS):
            line = lines.pop()
            with contextlib.suppress(ConnectionError, TimeoutError):
                line.sendall(PREFACE + frame(SETTINGS, 0, 0))
                for stream in range(1, STREAMS, 2):
                    rest = (
                        frame(RST, 0, stream, b"\0\0\0\x08") if ends & END_STREAM else frame(DATA, 0, stream, b"\xff")
                    )
                    line.sendall(frame(HEADERS, ends, stream, block) + rest)
                    if stream % 999 == 0:
                        drained(line)
        for number, line in enumerate(lines):
            with contextlib.suppress(ConnectionError):
                line.sendall((PREFACE, PREFACE[:9], bytes(64))[number % 3])


async def test_a_server_outlives_floods_of_its_own_socket() -> None:
    async with world() as me:
        (me.folder / "a").write_text("mine")
        await me.call("files.read", path="a")
        server = psutil.Process(me.servers.states()["files"].pid)
        before, files = server.memory_info().rss, server.num_fds()
        (place,) = (me.folder.parent / "run").iterdir()
        flood(place / "s")
        assert await gone(lambda: server.num_fds() <= files)
        assert (await me.call("files.read", path="a")).data == b"mine"
        assert me.servers.states()["files"].pid == server.pid
        assert server.memory_info().rss - before < 96 << 20
