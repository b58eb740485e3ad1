"""Several requests with what they have in common: headers, a query, credentials, and a jar of cookies."""

from __future__ import annotations

from typing import Self, Unpack

from agentos.sdk import wire
from agentos.sdk.http.cookies import Cookies
from agentos.sdk.http.following import whole
from agentos.sdk.http.headers import Headers
from agentos.sdk.http.request import Auth, Options, Request, read
from agentos.sdk.http.response import Response
from agentos.sdk.http.urls import Params, query


class Session:
    """`headers`, `params` and `auth` go with each request; what answers set in `cookies` goes back to where it is for.

    Credentials, whether in `headers` or as `auth`, go to every host that the session is pointed at: have one for each.
    """

    def __init__(self) -> None:
        self.headers = Headers()
        self.params: Params = {}
        self.auth: Auth = None
        self.cookies = Cookies()

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """As `net.request`, with what the session has in common; what is given here goes before that."""
        return self._send(self._read(method, url, options))

    def get(self, url: str, **options: Unpack[Options]) -> Response:
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> Response:
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> Response:
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> Response:
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> Response:
        return self.request("DELETE", url, **options)

    def close(self) -> None:
        """Nothing to close: no connection of it is open between two requests."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, method: str, url: str, options: Options) -> Request:
        headers = Headers(self.headers)
        headers.put(options.get("headers") or ())
        queries = [query(params) for params in (self.params, options.get("params")) if params]
        options["headers"], options["params"] = headers, "&".join(queries)
        options["auth"] = options.get("auth") or self.auth
        asked = read(method, url, **options)
        if not isinstance(options.get("cookies"), Cookies):
            asked.jar = self.cookies
        return asked

    def _send(self, asked: Request) -> Response:
        response = whole(asked, wire.call(asked.action, asked.args()), Response)
        asked.jar.take(response.url, response.headers)
        return response
