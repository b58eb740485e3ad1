"""What a run has read from outside: recorded with the call that brought it in, and with every call made after that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

import msgspec
import pytest

from agentos.home import history
from agentos.home.records import CallMade, CallSettled, Fault
from agentos.kernel.call import Failed
from agentos.manifest.catalog import load
from agentos.manifest.rules import Catalog
from agentos.runs import provenance
from agentos.v1 import error_pb2
from tests.authority.letters import REPOSITORY
from tests.kernel.cases import at, grant
from tests.kernel.test_path import Claimed, Witness, acting, request

NET = """
name = "net"
module = "agentos.v1.net_pb2"
service = "agentos.v1.NetService"
command = ["./net"]
network = true
"""
HOST = (
    *(("host", ("api.example.com",)), ("method", ("GET",)), ("scheme", ("https",)), ("port", ("443",))),
    *(("path", ("/**",)), ("network", ("public",))),
)
FETCH: Claimed = ("net.fetch", {"host": "API.example.com", "method": "GET", "scheme": "https"})
READ: Claimed = ("files.read", {"path": "notes/a"})
PAGE: Claimed = ("pages.extract", {"html": "PGh0bWw+"})


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    net = tmp_path_factory.mktemp("net")
    (net / "capability.toml").write_text(NET)
    rooms: Sequence[FilePath] = [REPOSITORY / "capabilities" / "files", REPOSITORY / "capabilities" / "pages", net]
    return load(rooms)


def witness() -> Witness:
    return Witness(grant("g1", "net.fetch", HOST), grant("g2", "files.read", at("/home/me/work/notes/**")))


def told(on: Witness) -> list[tuple[str, bool, bool]]:
    """Each call in order: its action, whether it was made after the run had read from outside, and whether it did."""
    made = [record for record in on.records if isinstance(record, CallMade)]
    settled = {record.seq: record.foreign for record in on.records if isinstance(record, CallSettled)}
    return [(each.action, each.outside, settled.get(each.seq, False)) for each in made]


async def test_what_came_from_outside_marks_its_call_and_every_call_after_it(catalog: Catalog) -> None:
    on = witness()
    path, actor = acting(catalog, on)
    for claimed in (READ, FETCH, READ, ("files.read", {"path": "/etc/passwd"}), ("files.fly", {})):
        await request(path, actor, claimed)
    assert told(on) == [
        ("files.read", False, False), ("net.fetch", False, True), ("files.read", True, False),
        ("files.read", True, False), ("files.fly", True, False),
    ]  # fmt: skip
    assert list(actor.outside) == ["api.example.com"]


async def test_what_brought_nothing_in_marks_nothing(catalog: Catalog) -> None:
    on = witness()
    on.fails = Failed(Fault(error_pb2.CODE_UNAVAILABLE, "nobody answers"), True)
    path, actor = acting(catalog, on)
    for claimed in (FETCH, ("net.fetch", {"host": "elsewhere.example", "method": "GET", "scheme": "https"}), READ):
        await request(path, actor, claimed)
    assert told(on) == [("net.fetch", False, False), ("net.fetch", False, False), ("files.read", False, False)]
    assert not actor.outside


async def test_what_was_asked_before_the_answer_came_is_not_after_it(catalog: Catalog) -> None:
    on = witness()
    path, actor = acting(catalog, on)
    await request(path, actor, FETCH, READ)
    assert told(on) == [("net.fetch", False, True), ("files.read", False, False)]


async def test_a_page_is_from_outside_whoever_brings_it(catalog: Catalog) -> None:
    on = witness()
    path, actor = acting(catalog, on)
    await request(path, actor, PAGE)
    assert told(on) == [("pages.extract", False, True)]
    assert provenance.places(actor.outside, catalog) == ["pages.extract"]
    await request(path, actor, FETCH)
    assert provenance.places(actor.outside, catalog) == ["api.example.com"]


async def test_a_run_as_it_is_recorded_tells_where_it_has_read(catalog: Catalog) -> None:
    on = witness()
    path, actor = acting(catalog, on)
    for claimed in (FETCH, READ, FETCH, PAGE):
        await request(path, actor, claimed)
    made = [record for record in on.records if isinstance(record, CallMade)]
    settled = {record.seq: record for record in on.records if isinstance(record, CallSettled)}
    assert provenance.outside([(each, settled.get(each.seq)) for each in made], catalog) == ["api.example.com"]


def test_a_journal_of_before_is_still_read() -> None:
    call = {"type": "call", "run": "r1", "seq": 1, "action": "files.read", "args": "{}", "targets": [], "digest": "x"}
    reply = {"type": "reply", "run": "r1", "seq": 1, "took_us": 1}
    read = [history.decode(msgspec.msgpack.encode(each)) for each in (call | {"decision": 1, "at_ms": 0}, reply)]
    assert [getattr(record, name) for record, name in zip(read, ("outside", "foreign"), strict=True)] == [False, False]
