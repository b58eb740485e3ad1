"""A person's folder, the real files server behind its walls, and calls to it as the kernel makes them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentos.kernel.cells.servers import CallFailed, Servers
from agentos.manifest.catalog import load
from agentos.v1 import annotations_pb2, capability_pb2, error_pb2, matchers
from agentos.v1.patterns import root

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = ROOT / "capabilities" / "files"

Bounds = Mapping[str, Sequence[str]]


class World:
    """`folder` is granted for writing as a whole, unless a call says under which patterns it is made."""

    def __init__(self, folder: Path, servers: Servers, capability: Path = FILES) -> None:
        self.folder = folder
        self.servers = servers
        self.catalog = load([capability])

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}" if name else str(self.folder)

    async def call(self, action: str, under: Sequence[str] | Bounds = (), /, **fields: object) -> Any:
        """Make a call as a run would under a grant with these bounds; `path` and `to` may be relative to the folder."""
        rule = self.catalog.actions[action]
        for name in ("path", "to"):
            value = fields.get(name)
            if isinstance(value, str) and not value.startswith("/"):
                fields[name] = self.path(value)
        patterns = under or [f"{self.folder}/**"]
        bounds: Bounds = patterns if isinstance(patterns, Mapping) else dict.fromkeys(("path", "to"), patterns)
        how = "read" if rule.effect == annotations_pb2.EFFECT_OBSERVE else "write"
        paths = [field.bound for field in rule.fields if field.matcher == matchers.PATH]
        roots = {root(p): how for name in paths for p in bounds.get(name, ())}
        await self.servers.allow(rule.capability, roots)
        request = rule.request(**fields)
        raw = request.SerializeToString()
        made_under = context(bounds)
        if rule.prepare:
            made_under.targets.extend(await self.servers.prepare(rule.capability, action, raw, context(bounds)))
        return rule.response.FromString(await self.servers.call(rule.capability, rule.method, raw, made_under))

    async def refused(self, action: str, under: Sequence[str] | Bounds = (), /, **fields: object) -> error_pb2.Error:
        """The error of a call that must fail."""
        with pytest.raises(CallFailed) as caught:
            await self.call(action, under, **fields)
        return caught.value.error


def context(bounds: Bounds) -> capability_pb2.CallContext:
    given = [capability_pb2.Bound(name=name, values=values) for name, values in bounds.items()]
    return capability_pb2.CallContext(bounds=given)


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="agentos-")).resolve()


@asynccontextmanager
async def world(capability: Path = FILES) -> AsyncIterator[World]:
    """A world of its own; its trash is beside the folder, and `kernel` is the forbidden place."""
    place = _new_folder()
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(place / "share")
    for name in ("me", "kernel", "run"):
        (place / name).mkdir()
    (place / "kernel" / "key").write_text("the kernel's own")
    catalog = load([capability])
    servers = Servers(catalog, place / "run", (str(place / "kernel"),))
    try:
        if "files" in catalog.capabilities:
            await servers.allow("files", {str(place / "me"): "write"})
        yield World(place / "me", servers, capability)
    finally:
        await servers.close()
        os.environ.pop("XDG_DATA_HOME")
        if before:
            os.environ["XDG_DATA_HOME"] = before
        shutil.rmtree(place)
