"""HTTP as programs write it, on top of the calls of `net`: `net.get(url).json()`, sessions, cookies, redirects."""

from __future__ import annotations

from agentos.sdk.http.cookies import Cookies
from agentos.sdk.http.headers import Headers
from agentos.sdk.http.page import Page, page
from agentos.sdk.http.response import HTTPError, Response
from agentos.sdk.http.session import Session
from agentos.sdk.http.verbs import delete, get, head, patch, post, put, request

__all__ = [
    "Cookies",
    "HTTPError",
    "Headers",
    "Page",
    "Response",
    "Session",
    "delete",
    "get",
    "head",
    "page",
    "patch",
    "post",
    "put",
    "request",
]
