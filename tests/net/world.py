"""A small internet on loopback: servers that say what a test tells them to, and name servers that know them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import trustme

LISTENS = "127.0.0.1"


@dataclass(frozen=True)
class Asked:
    """A request as a server got it, head and body, byte for byte."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    def header(self, name: str) -> list[str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].lower() == name.lower()]


# What a server does with a connection once it has a request: it writes whatever it likes.
Says = Callable[[socket.socket, Asked], None]
# What it does with one before it has read anything, instead of all that.
Greets = Callable[[socket.socket], None]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Says:
    """An honest answer of this length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def raw(*pieces: bytes) -> Says:
    """These very bytes, then the end."""

    def says(line: socket.socket, asked: Asked) -> None:
        for piece in pieces:
            line.sendall(piece)

    return says


class Server:
    """A server of its own port. It says by the path (without query) what `says` has for it, else 404."""

    def __init__(self, tls: ssl.SSLContext | None = None, greets: Greets | None = None) -> None:
        self.says: dict[str, Says] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0
        self._tls = tls
        self._greets = greets
        self._lock = threading.Lock()
        self._listening = socket.create_server((LISTENS, 0), backlog=512)
        self.port = str(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.open += 1
        line.settimeout(30)
        try:
            if self._greets is not None:
                with suppress(OSError):
                    self._greets(line)
                return
            with suppress(OSError), self._tls.wrap_socket(line, server_side=True) if self._tls else line as talking:
                asked = _request(talking)
                if asked is not None:
                    self.asked.append(asked)
                    self.says.get(asked.target.partition("?")[0], answer(b"not there", "404 Not Found"))(talking, asked)
        finally:
            line.close()
            with self._lock:
                self.open -= 1

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # a close alone does not wake who accepts
        self._listening.close()


def _request(line: socket.socket) -> Asked | None:
    got = b""
    while b"\r\n\r\n" not in got:
        piece = line.recv(65_536)
        got += piece
        if not piece or got[:1] == b"\x16":  # a handshake of TLS is no request
            return None
    head, _, body = got.partition(b"\r\n\r\n")
    length = int((Asked(head, b"").header("content-length") or ["0"])[0])
    while len(body) < length:
        body += line.recv(65_536)
    return Asked(head, body)


@dataclass
class Names:
    """A name server. `known` are the addresses of a name, or what gives them, asked anew each time; `odd` makes of an
    honest reply to a name whatever is sent instead, None for nothing."""

    known: dict[str, list[str] | Callable[[], list[str]]] = field(default_factory=dict)
    odd: dict[str, Callable[[dns.message.Message], bytes | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LISTENS, 0))
        self.where = f"{LISTENS}:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                wire, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            reply = self._reply(wire)
            with suppress(OSError):
                if reply is not None:
                    self._socket.sendto(reply, peer)

    def _reply(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        found = self.known.get(name)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.odd:
            return self.odd[name](reply)
        if found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply.to_wire()
        addresses = found() if callable(found) else found
        version6 = question.rdtype == dns.rdatatype.AAAA
        fitting = [address for address in addresses if (":" in address) == version6]
        if fitting:
            kind = "AAAA" if version6 else "A"
            reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *fitting))
        return reply.to_wire(max_size=4096)

    def close(self) -> None:
        self._socket.close()


def certified(authority: trustme.CA, *names: str, **more: object) -> ssl.SSLContext:
    """How a server speaks TLS that has a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(context)  # type: ignore[arg-type]
    return context


@contextmanager
def closing(*each: Server | Names) -> Iterator[None]:
    try:
        yield
    finally:
        for one in each:
            one.close()
