"""A web server on this machine that says back what it was sent, in every form that a secret could come back in."""

from __future__ import annotations

import base64
import gzip
import html
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlsplit

FORMS: dict[str, Callable[[str], str]] = {
    "itself": lambda text: text,
    "upper": str.upper,
    "quoted": lambda text: quote(text, safe=""),
    "all-quoted": lambda text: "".join(f"%{ord(c):02x}" for c in text),
    "json": json.dumps,
    "all-json": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "basic": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "url-base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


class Mirror(BaseHTTPRequestHandler):
    """GET /PATH?how=plain, or another of its methods. `seen` has each request's path and headers."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, dict[str, str]]]]
    host: ClassVar[str]
    port: ClassVar[str]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base has it
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.seen.append((self.path, dict(self.headers)))
        sent = self.headers.get("Authorization", "") or self.headers.get("X-Key", "")
        value = sent.removeprefix("Bearer ").removeprefix("Basic ")
        said = json.dumps({"headers": dict(self.headers)} | {name: form(value) for name, form in FORMS.items()})
        getattr(self, f"_{asked.get('how', 'plain')}")(said.encode(), value, asked)

    def _answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _plain(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        self._answer(body, X_Sent=value, X_Quoted=quote(value, safe=""), Content_Type="application/json")

    def _gzip(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        self._answer(gzip.compress(body), Content_Encoding="gzip")

    def _strange(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        self._answer(body, Content_Encoding="x-strange")

    def _redirect(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        self._answer(b"", 302, Location=asked["to"], X_Sent=value)

    def _big(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        """The value right across the place where one reply ends and the next begins."""
        self._answer(b"x" * ((1 << 20) - len(value) // 2) + value.encode() + b"y" * 1000)

    def _chunks(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _short(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        """Ends in the middle of the value, which its length did not say."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"here: " + value.encode()[:-1])
        self.close_connection = True

    def _broken(self, body: bytes, value: str, asked: dict[str, str]) -> None:
        """No HTTP at all, but for the value."""
        self.wfile.write(f"{value} HTTP {value}\r\n{value}\r\n\r\n".encode())
        self.close_connection = True


class Quiet(ThreadingHTTPServer):
    """What hangs up is no news: it would stand between what a test reads."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def mirror(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[type[Mirror]]:
    """A mirror that is up; `.port` is where, `.seen` what it was asked."""

    class Here(Mirror):
        seen: ClassVar[list[tuple[str, dict[str, str]]]] = []

    server = Quiet((host, 0), Here)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    Here.host, Here.port = host, str(server.server_port)
    try:
        yield Here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
