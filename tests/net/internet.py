"""The servers and the name server that make the faults of `kinds`, each on a port of its own on loopback."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rcode
import trustme

from tests.net import hostile
from tests.net.hostile import greets
from tests.net.kinds import KINDS, PLAIN, TLS, path
from tests.net.world import LISTENS, Names, Server, certified, closing


def name_them(names: Names) -> None:
    """What the name server says of each name, and of some in no proper way."""
    names.known |= {
        PLAIN: [LISTENS], TLS: [LISTENS], "evil.test": [LISTENS], "private.test": ["10.1.2.3"],
        "mixed.test": [LISTENS, "10.0.0.1"], "metadata.test": ["169.254.169.254"],
        "many.test": [f"127.0.1.{number}" for number in range(100)],
    }  # fmt: skip
    names.odd |= {
        "fails.odd.test": lambda reply: _with(reply, lambda: reply.set_rcode(dns.rcode.SERVFAIL)),
        "silent.odd.test": lambda reply: None,
        "noise.odd.test": lambda reply: b"\xff" * 40,
        "another.odd.test": lambda reply: _with(reply, lambda: setattr(reply, "id", reply.id ^ 1)),
    }


def _with(reply: dns.message.Message, change: Callable[[], None]) -> bytes:
    change()
    return reply.to_wire()


def rebinds() -> Callable[[], list[str]]:
    """A name that is of this machine for one fetch, which asks twice (A and AAAA), and of a private network after."""
    asked: list[int] = []

    def addresses() -> list[str]:
        asked.append(1)
        return [LISTENS] if len(asked) <= 2 else ["10.0.0.1"]

    return addresses


@dataclass(frozen=True)
class Internet:
    """The port of each server, and how many connections are open to them."""

    ports: Mapping[str, str]
    servers: Mapping[str, Server]

    @property
    def open(self) -> int:
        return sum(server.open for server in self.servers.values())


@contextmanager
def internet(names: Names, authority: trustme.CA) -> Iterator[Internet]:
    """All servers of these kinds."""
    past, honest = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), certified(authority, TLS)
    servers = {
        "plain": Server(), "tls": Server(honest), "before": Server(greets=hostile.answers_before_it_has_read),
        "cut": Server(greets=greets(ends=True)), "cut late": Server(greets=greets(hears=4000, ends=True)),
        "deaf": Server(greets=greets()), "tls silent": Server(greets=greets()),
        "tls half": Server(greets=greets(hostile.HALF_A_HELLO, hears=50)),
        "tls cut": Server(greets=greets(hears=50, ends=True)),
        "tls none": Server(), "tls other": Server(certified(authority, "honest.test")),
        "tls nobody": Server(certified(trustme.CA(), TLS)),
        "tls past": Server(certified(authority, TLS, not_after=past)),
        "tls old": Server(_old(certified(authority, TLS))),
    }  # fmt: skip
    for name, kind in KINDS.items():
        if kind.says is not None:
            servers[kind.server].says[path(name)] = kind.says
    name_them(names)
    with closing(*servers.values()), ExitStack() as stack:
        closed, full = stack.enter_context(socket.socket()), stack.enter_context(socket.socket())
        for each in (closed, full):
            each.bind((LISTENS, 0))
        full.listen(0)
        for _ in range(2):  # what it keeps for itself is taken: who comes now is not answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        ports = {name: server.port for name, server in servers.items()}
        ports |= {"closed": str(closed.getsockname()[1]), "full": str(full.getsockname()[1])}
        yield Internet(ports, servers)


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    """No newer than TLS 1.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context
