"""Credentials of a request."""

from __future__ import annotations

from typing import Any

from agentos.sdk.http.request import basic


class AuthBase:
    """What is called with a request before it is sent, and may set its headers."""

    def __call__(self, request: Any) -> Any:
        raise NotImplementedError("an AuthBase says in __call__ what it does to a request")


class HTTPBasicAuth(AuthBase):
    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        self.username, self.password = username, password

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = basic(self.username, self.password)
        return request


class HTTPDigestAuth(AuthBase):
    def __init__(self, *_: object) -> None:
        raise NotImplementedError("digest credentials are not in this part of requests: use HTTPBasicAuth over https")
