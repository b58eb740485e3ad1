"""From a host's name to its addresses, each of them checked; nothing is connected to that was not.

Names are absolute: no search domain makes another host of one. The name is looked up once, and what is connected to is
the address that was checked, so that a second answer of the name server changes nothing (DNS rebinding). A name that
has one address that the grant does not cover is refused with all of them: which one would be tried is up to chance, and
an honest name does not mix a private address with a public one.

By default the system is asked, in a thread; its file of hosts comes first, as it would. With the resolver of
AGENTOS_NET_RESOLVER only that is asked. `localhost` and what is below it is this machine without asking (RFC 6761).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from agentos.capabilities.failure import Failure
from agentos.capabilities.net import faults, limits
from agentos.v1 import addresses
from agentos.v1.addresses import Address

# The addresses of a name. Raises a Failure.
Resolve: TypeAlias = Callable[[str], Awaitable[list[Address]]]

_HOSTS = "/etc/hosts"
_HOSTS_BYTES = 2**20
_LOCAL: list[Address] = [ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")]


async def checked(
    host: str, networks: Iterable[str], resolve: Resolve, within_s: float, line: Callable[[str], str]
) -> list[Address]:
    """The addresses of a canonical host, if all of them lie in these networks. `line` is for the hint. Raises."""
    address = addresses.literal(host)
    found = [address] if address else await _named(host, resolve, within_s)
    allowed = tuple(networks)
    kinds = {addresses.kind(each) for each in found} - set(allowed)
    # What no grant reaches is named first: a line for the others would not help.
    for kind in (addresses.NEVER, *sorted(kinds)):
        if kind in kinds:
            raise faults.address(host, kind, line(kind))
    return found


async def _named(host: str, resolve: Resolve, within_s: float) -> list[Address]:
    if host == "localhost" or host.endswith(".localhost"):
        return _LOCAL
    try:
        async with asyncio.timeout(min(limits.NAME_S, max(within_s, 0))):
            found = await resolve(host)
    except TimeoutError:
        raise faults.names_down(host) from None
    if not found:
        raise faults.no_name(host)
    if len(found) > limits.ADDRESSES:
        raise faults.names_down(host)
    return found


def resolver(setting: str) -> Resolve:
    """How names are looked up under this setting; one that cannot be read fails each call."""
    if not setting:
        return _System()
    host, _, port = setting.rpartition(":")
    server = addresses.literal(host.strip("[]"))
    if server is None or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        return _refuses(faults.bad_resolver)
    return _Asked(str(server), int(port))


def _refuses(failure: Callable[[], Failure]) -> Resolve:
    async def resolve(host: str) -> list[Address]:
        raise failure()

    return resolve


class _System:
    """The system's own way: the file of hosts, then its name servers."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(limits.NAMES_AT_ONCE, "name")

    async def __call__(self, host: str) -> list[Address]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _looked_up, host)


def _looked_up(host: str) -> list[Address]:
    written = _written(host)
    if written:
        return written
    try:
        # The dot makes the name absolute.
        found = socket.getaddrinfo(f"{host}.", None, type=socket.SOCK_STREAM)
    except socket.gaierror as problem:
        if problem.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise faults.names_down(host) from None
    except OSError:
        raise faults.names_down(host) from None
    return list(dict.fromkeys(ipaddress.ip_address(str(address[0])) for *_, address in found))


def _written(host: str) -> list[Address]:
    """What the file of hosts says of an absolute name: getaddrinfo does not look there for one."""
    try:
        with open(_HOSTS, encoding="utf-8", errors="replace") as file:
            lines = file.read(_HOSTS_BYTES).splitlines()
    except OSError:
        return []
    words = [line.partition("#")[0].lower().split() for line in lines]
    found = [addresses.literal(names[0]) for names in words if host in names[1:]]
    return [address for address in found if address is not None]


class _Asked:
    """One name server, by its address."""

    def __init__(self, server: str, port: int) -> None:
        import dns.asyncresolver

        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers, self._resolver.port = [server], port
        self._resolver.lifetime = limits.NAME_S
        self._resolver.retry_servfail = False

    async def __call__(self, host: str) -> list[Address]:
        both = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        return [address for found in both for address in found]

    async def _ask(self, host: str, kind: str) -> list[Address]:
        import dns.exception
        import dns.resolver

        try:
            answer = await self._resolver.resolve(f"{host}.", kind, search=False)
            return [ipaddress.ip_address(record.address) for record in answer]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError):
            raise faults.names_down(host) from None
