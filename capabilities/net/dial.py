"""Connections to addresses that were checked, as httpcore2 takes them: a network backend that knows no names.

httpcore2 is told the host of the URL, for the name that TLS asks for and verifies. It hands the same host to
`connect_tcp`, and there it is not looked at: the socket goes to one of the addresses that `names` has checked.

What comes before the body is counted here, byte by byte as it arrives, since neither the library that reads it nor the
one below it has a limit for all of it: a head of 100 MB is hung up on after 64 KiB.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

from agentos.capabilities.failure import Failure
from agentos.capabilities.net import faults, limits
from agentos.v1.addresses import Address

# Where certificates lie on systems whose OpenSSL was built for another one.
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)  # fmt: skip


def trust(ca: str) -> ssl.SSLContext:
    """TLS as it is verified here: the system's certificates, and those in the file `ca` beside them. Raises."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    usual = ssl.get_default_verify_paths()
    if not usual.cafile and not _has_certificates(usual.capath):
        import certifi

        context.load_verify_locations(next(filter(os.path.isfile, _CERTIFICATES), certifi.where()))
    if ca:
        try:
            context.load_verify_locations(ca)
        except OSError:
            raise faults.bad_ca() from None
    return context


def _has_certificates(folder: str | None) -> bool:
    return folder is not None and any(os.scandir(folder))


class Dialer(httpcore2.AsyncNetworkBackend):
    """Connects to one of these addresses, whatever name it is given. `host` is for the words of failures."""

    def __init__(self, host: str, addresses: Sequence[Address]) -> None:
        self._host, self._addresses = host, addresses[: limits.TRIED]
        self.line: Line | None = None

    @property
    def sent(self) -> bool:
        """Whether anything of the request was on its way."""
        return self.line is not None and self.line.sent

    @property
    def heard(self) -> bool:
        """Whether anything of an answer came."""
        return self.line is not None and self.line.heard > 0

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Line:  # fmt: skip
        failure: Failure = faults.unreachable(self._host)
        for address in self._addresses:
            try:
                self.line = Line(self._host, await _connected(address, port))
            except ConnectionRefusedError:
                failure = faults.refused(self._host)
            except OSError:  # a TimeoutError is one
                failure = faults.unreachable(self._host)
            else:
                return self.line
        raise failure


async def _connected(address: Address, port: int) -> socket.socket:
    """A socket that is connected to this address. Raises OSError."""
    connection = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        async with asyncio.timeout(limits.CONNECT_S):
            await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


class Line(httpcore2.AsyncNetworkStream):
    """One connection. `sent` says whether anything of the request was on its way, `heard` how much came of a head."""

    def __init__(self, host: str, connection: socket.socket) -> None:
        self._host, self._socket = host, connection
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.heard = 0
        self.in_body = False
        self.body_left = 0
        self.sent = False

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Line:
        try:
            self._streams = await asyncio.open_connection(
                sock=self._socket,
                limit=limits.HEAD,
                ssl=ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=limits.CONNECT_S,
                ssl_shutdown_timeout=limits.CONNECT_S,
            )
        except ssl.SSLCertVerificationError as problem:
            raise faults.untrusted(self._host, problem) from None
        except OSError:
            raise faults.no_tls(self._host) from None
        finally:
            if self._streams is None:
                self._socket.close()
        return self

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(sock=self._socket, limit=limits.HEAD)
        return self._streams

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        reader, _ = await self._open()
        # While the head is coming, no more is taken than one may be: what comes behind it is body, and waits.
        if not self.in_body and self.heard >= limits.HEAD:
            raise faults.head_too_large(self._host)
        most = max_bytes if self.in_body else min(max_bytes, limits.HEAD - self.heard)
        try:
            piece = await reader.read(most)
        except OSError:
            raise faults.reset(self._host) from None
        if self.in_body:
            self.body_left -= len(piece)
            if self.body_left < 0:
                raise faults.wasteful(self._host)
        else:
            self.heard += len(piece)
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        _, writer = await self._open()
        self.sent = True
        try:
            writer.write(buffer)
            await writer.drain()
        except OSError:
            # A server may answer and hang up before it has read all: its answer may be there to read.
            raise httpcore2.WriteError from None

    async def aclose(self) -> None:
        """At once, without the farewell of TLS: whoever has nothing more to say need not wait for an answer to it."""
        if self._streams is None:
            self._socket.close()
        else:
            self._streams[1].transport.abort()

    def get_extra_info(self, info: str) -> Any:
        return self._streams[1].get_extra_info(info) if self._streams else None
