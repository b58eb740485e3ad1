"""`http.client` on calls of `net`, and with it all that stands on it: urllib.request, xmlrpc.client, robotparser.

One thing is replaced: what a connection is connected to. Instead of a socket it has a `Line`, which takes a request
as http.client writes it, makes one call, and gives back an answer as http.client reads it. Everything above is the
standard library's own: its headers, its states, its `HTTPResponse`, the handlers of urllib. A redirect that urllib
follows is a request of its own, and so a call that the kernel decides on.

A refusal is a `PermissionError`, a host that does not answer a `ConnectionError`, and out of urllib both are a
`URLError` too, as anywhere. Each is the SDK's error as well, with its reason and next step; so a program that catches
none of them ends as refused.
"""

from __future__ import annotations

import http.client
import io
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn

from agentos.guests.python.shims import failure
from agentos.guests.python.shims.failure import refuse
from agentos.sdk import wire
from agentos.sdk.errors import AgentError
from agentos.sdk.http.body import Body, Stream
from agentos.sdk.http.headers import Headers
from agentos.sdk.http.request import Request, milliseconds, sendable
from agentos.sdk.http.urls import Url

BUFFER = 64 * 1024
_USUAL = vars(socket)["_GLOBAL_DEFAULT_TIMEOUT"]
NO_PROXY = "a program sets no proxy", "leave it out: hosts are reached by the net capability"


class Line:
    """What an HTTPConnection has for a socket."""

    def __init__(self, host: str, port: int, timeout: Any) -> None:
        self._scheme, self._host, self._port = "http", host, port
        self.settimeout(timeout)
        self._sent = bytearray()

    def secured(self) -> Line:
        """The same with TLS."""
        self._scheme = "https"
        return self

    def settimeout(self, timeout: Any) -> None:
        self._timeout = socket.getdefaulttimeout() if timeout is _USUAL else timeout

    def gettimeout(self) -> Any:
        return self._timeout

    def sendall(self, data: Any) -> None:
        self._sent += data

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """The answer to what was sent."""
        sent, self._sent = bytes(self._sent), bytearray()
        return plainly(lambda: self._answer(sent))

    def _answer(self, sent: bytes) -> io.BufferedReader:
        asked = self._request(sent)
        reply = wire.call(asked.action, asked.args())
        body = Body(reply)
        return io.BufferedReader(_Answer(body, _head(asked.method, reply, body)), BUFFER)

    def _request(self, sent: bytes) -> Request:
        """The request that these bytes are, as http.client wrote them."""
        head, _, body = sent.partition(b"\r\n\r\n")
        first, *lines = head.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").split(b"\r\n")
        method, path, _ = first.decode("latin-1").split(" ")
        named = (line.decode("latin-1").partition(":") for line in lines)
        headers = Headers([(name, value.strip()) for name, _, value in named])
        if headers.get("Host", "") in self._hosts():
            del headers["Host"]
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = _joined(body)
        target = Url(self._scheme, self._host, str(self._port), path)
        return Request(method, target, sendable(headers, target), body, milliseconds(self._timeout))

    def _hosts(self) -> tuple[str, str]:
        """How http.client and urllib write the Host of this connection."""
        host = self._host if self._host.isascii() else self._host.encode("idna").decode()
        host = f"[{host}]" if ":" in host else host
        return host, f"{host}:{self._port}"

    def close(self) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def setsockopt(self, *_: Any) -> None: ...


class _Answer(Stream):
    """The answer as bytes; a piece that cannot be read fails as it would on a socket."""

    def readinto(self, buffer: memoryview) -> int:
        return plainly(lambda: super(_Answer, self).readinto(buffer))

    def readall(self) -> bytes:
        return plainly(super().readall)


def _head(method: str, reply: dict[str, Any], body: Body) -> bytes:
    """The head of the answer. Where all of the body has come, its length is known; else it ends where it ends."""
    headers = Headers.from_wire(reply.get("headers", ()))
    headers.pop("Transfer-Encoding", None)
    status = int(reply.get("status", 0))
    if method != "HEAD" and status not in (204, 304):
        headers.pop("Content-Length", None)
        if body.known is not None:
            headers.add("Content-Length", str(body.known))
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
    lines += [f"{each['name']}: {each['value']}" for each in headers.to_wire()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def _joined(chunked: bytes) -> bytes:
    """A body that http.client wrote in chunks."""
    pieces: list[bytes] = []
    while chunked:
        size, _, chunked = chunked.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(chunked[:length])
        chunked = chunked[length + 2 :] if length else b""
    return b"".join(pieces)


# ---- errors as the standard library has them


def plainly(act: Callable[[], Any]) -> Any:
    """What `act` does; an error of the SDK is raised as a socket would."""
    try:
        return act()
    except AgentError as error:
        failed = failure.of_network(error)
    raise failed


_URL_ERRORS = failure.as_well(urllib.error.URLError)


def _as_url_error(error: Any) -> AgentError:
    """The same error, which `except URLError` catches too."""
    failed = _URL_ERRORS[type(error)](error.reason, error.hint, error.detail)
    failed.errno, failed.strerror = error.errno, error.strerror
    return failed  # type: ignore[no-any-return]


_do_open = urllib.request.AbstractHTTPHandler.do_open


def _open(self: Any, http_class: Any, req: Any, **args: Any) -> Any:
    try:
        return _do_open(self, http_class, req, **args)
    except urllib.error.URLError as error:
        failed = error.reason if isinstance(error.reason, AgentError) else error
    except AgentError as error:
        failed = error
    if isinstance(failed, urllib.error.URLError):
        raise failed
    raise _as_url_error(failed)


# ---- what is connected


def _connect(self: Any) -> None:
    if self._tunnel_host:
        refuse(*NO_PROXY)
    self.sock = Line(self.host, self.port, self.timeout)


def _no_proxies(self: Any, proxies: Any = None) -> None:
    """Those of the environment are not looked at; to ask for one is refused."""
    if proxies:
        refuse(*NO_PROXY)
    self.proxies = {}


def _no_file(self: Any, req: Any) -> NoReturn:
    refuse("a file is not opened by its address", "use open(path)", req.full_url)


def _no_ftp(self: Any, req: Any) -> NoReturn:
    refuse("ftp: is not fetched", "there are https:// and http://", req.full_url)


def install() -> None:
    http.client.HTTPConnection.connect = _connect
    urllib.request.AbstractHTTPHandler.do_open = _open
    urllib.request.ProxyHandler.__init__ = _no_proxies
    urllib.request.FileHandler.file_open = _no_file
    urllib.request.FTPHandler.ftp_open = _no_ftp
