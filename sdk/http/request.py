"""A request before it is made: what the arguments of `net.get` and its siblings mean."""

from __future__ import annotations

import json as json_text
import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any, TypedDict

from agentos.sdk.errors import Invalid
from agentos.sdk.http import urls
from agentos.sdk.http.cookies import Cookies, bound
from agentos.sdk.http.headers import Given, Headers
from agentos.sdk.http.multipart import Files, multipart
from agentos.sdk.http.urls import Params, Url

HOPS = 10
FORM = "application/x-www-form-urlencoded"
Data = Mapping[str, Any] | Iterable[Any] | str | bytes
Timeout = float | tuple[float | None, float | None] | None
Auth = tuple[str, str] | Callable[[Any], Any] | None


class Options(TypedDict, total=False):
    """What a request may be given beside its method and URL; `request` says what each means."""

    params: Params | None
    headers: Given | None
    data: Data | None
    json: Any
    files: Files | None
    auth: Auth
    cookies: Mapping[str, str] | CookieJar | None
    timeout: Timeout
    allow_redirects: bool
    stream: bool
    most: int


# These frame a message: the server sets them, as it decodes what comes compressed.
FRAMING = (
    *("connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    "accept-encoding",
)


@dataclass
class Request:
    """One request. An `auth` that is a function may change its `headers`, and look at the rest."""

    method: str
    target: Url
    headers: Headers
    body: bytes = b""
    timeout_ms: int = 0
    stream: bool = False
    most: int = 0
    follow: bool = True
    hops: int = HOPS
    """How many redirects are followed."""
    jar: Cookies = field(default_factory=Cookies)
    """What answers set, and what goes back to where it is for."""
    extra: Cookies = field(default_factory=Cookies)
    """What this request alone brings along."""

    @property
    def url(self) -> str:
        return str(self.target)

    @property
    def action(self) -> str:
        return "net.head" if self.method == "HEAD" else "net.fetch"

    def args(self) -> dict[str, Any]:
        """The arguments of its call. Its cookies are added here, since each hop has others."""
        headers = Headers(self.headers)
        cookies = [text for jar in (self.jar, self.extra) if (text := jar.header(self.url))]
        if cookies and "Cookie" not in headers:
            headers.add("Cookie", "; ".join(cookies))
        where = {"scheme": self.target.scheme, "host": self.target.host, "port": self.target.port}
        args: dict[str, Any] = {"method": self.method, **where, "path": self.target.path, "headers": headers.to_wire()}
        args |= {"timeout_ms": self.timeout_ms} if self.timeout_ms else {}
        if self.action == "net.head":
            return args
        args |= {"body": b64encode(self.body).decode("ascii")} if self.body else {}
        args |= {"stream": True} if self.stream else {}
        return args | ({"most": self.most} if self.most else {})


def read(
    method: str,
    url: str,
    *,
    params: Params | None = None,
    headers: Given | None = None,
    data: Data | None = None,
    json: Any = None,
    files: Files | None = None,
    auth: Auth = None,
    cookies: Mapping[str, str] | CookieJar | None = None,
    timeout: Timeout = None,
    allow_redirects: bool = True,
    stream: bool = False,
    most: int = 0,
) -> Request:
    """The request that these arguments make. Invalid where they make none."""
    target = urls.split(url).with_query(params)
    asked = Request(method.upper(), target, sendable(headers or (), target), follow=allow_redirects)
    asked.body, kind = _content(data, json, files)
    if kind and "Content-Type" not in asked.headers:
        asked.headers.add("Content-Type", kind)
    if isinstance(cookies, Cookies):
        asked.jar = cookies
    elif cookies:
        asked.extra = bound(cookies)
    asked.timeout_ms, asked.stream, asked.most = milliseconds(timeout), stream, most
    if isinstance(auth, tuple):
        asked.headers["Authorization"] = basic(*auth)
    elif auth is not None:
        auth(asked)
    return asked


def sendable(given: Given, target: Url) -> Headers:
    """The headers that a program says. What frames the message is left to the server, and there is one Host."""
    headers = Headers(given)
    host = headers.get("Host")
    if host is not None and urls.split(f"{target.scheme}://{host}/").origin != target.origin:
        raise Invalid(f"the Host header says {host!r}, and the URL another", "leave it out: it is the URL's host")
    for name in ("host", *FRAMING):
        headers.pop(name, None)
    return headers


def basic(user: str | bytes, password: str | bytes) -> str:
    """The Authorization header of a user and a password."""
    both = b":".join(part.encode() if isinstance(part, str) else part for part in (user, password))
    return "Basic " + b64encode(both).decode("ascii")


def milliseconds(timeout: Timeout) -> int:
    """Seconds as a call has them; of a pair (to connect, to answer) the sum. None is as long as the server allows."""
    seconds = sum(part or 0 for part in timeout) if isinstance(timeout, tuple) else timeout
    if seconds is None:
        return 0
    if not 0 < float(seconds) < math.inf:
        raise Invalid(f"a timeout is a number of seconds above 0, and not {timeout!r}", "write timeout=30")
    return math.ceil(seconds * 1000)


def _content(data: Data | None, json: Any, files: Files | None) -> tuple[bytes, str]:
    """The body and its type, where it says one."""
    if files:
        return multipart(data, files)
    if data is None or data == {} or data == "":
        if json is None:
            return b"", ""
        return json_text.dumps(json, allow_nan=False).encode(), "application/json"
    if isinstance(data, str):
        return data.encode(), ""
    if isinstance(data, bytes | bytearray):
        return bytes(data), ""
    if (read_all := getattr(data, "read", None)) is not None:
        text = read_all()
        return (text.encode() if isinstance(text, str) else bytes(text)), ""
    pairs = data if isinstance(data, Mapping) else list(data)
    if not isinstance(pairs, Mapping) and all(isinstance(piece, str | bytes) for piece in pairs):
        return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pairs), ""
    return urls.query(pairs).encode("ascii"), FORM
