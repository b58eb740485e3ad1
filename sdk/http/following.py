"""From a request to its last answer. A redirect is an answer like any other: to follow it is a call of its own.

So the kernel decides on each hop, and one to a host that was not granted is refused like a request to that host. What
was meant for the first host alone stays with it: credentials and cookies that were given by hand are left out as soon
as the origin is another. Nothing is followed from https to http, nor to what is neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from agentos.sdk import wire
from agentos.sdk.calls import Reply
from agentos.sdk.errors import Denied, Invalid, LimitExceeded
from agentos.sdk.http import urls
from agentos.sdk.http.headers import Headers
from agentos.sdk.http.request import Request
from agentos.sdk.http.response import Response
from agentos.sdk.http.urls import PORTS

_PRIVATE = ("Authorization", "Cookie", "Proxy-Authorization")
_ABOUT_BODY = ("Content-Type", "Content-Encoding", "Content-Language", "Content-Location")

R = TypeVar("R", bound=Response)


def whole(asked: Request, reply: Reply, kind: type[R]) -> R:
    """The answer with all of its body, unless it is to be streamed: nobody may look at it, and then nobody hangs up."""
    response = answered(asked, reply, kind)
    if not asked.stream:
        response.content  # noqa: B018  (it reads)
    return response


def answered(asked: Request, reply: Reply, kind: type[R]) -> R:
    """The answer at the end of all redirects, or the first one where they are not to be followed; its body unread."""
    history: list[Response] = []
    while True:
        response = kind(asked, reply)
        response.history = list(history)
        if not (asked.follow and response.is_redirect):
            return response
        response.close()
        if len(history) >= asked.hops:
            raise LimitExceeded(
                f"{asked.url} leads on, after {len(history)} redirects and to no end",
                "look at one answer with allow_redirects=False",
                "redirects",
            )
        asked.jar.take(asked.url, response.headers)
        history.append(response)
        asked = redirected(asked, response)
        reply = wire.call(asked.action, asked.args())


def redirected(asked: Request, response: Response) -> Request:
    """The request that this answer sends on to. Denied where it leads out of https, or of HTTP."""
    target = _target(asked, response)
    headers = Headers(asked.headers)
    if target.origin != asked.target.origin:
        headers.put(dict.fromkeys(_PRIVATE))
    to_get = response.status == 303 and asked.method != "HEAD"
    if to_get or (response.status in (301, 302) and asked.method == "POST"):
        headers.put(dict.fromkeys(_ABOUT_BODY))
        return replace(asked, method="GET", target=target, headers=headers, body=b"")
    return replace(asked, target=target, headers=headers)


def _target(asked: Request, response: Response) -> urls.Url:
    location = _as_meant(response.headers.all("Location")[0])
    hint = "look at the answer with allow_redirects=False"
    scheme = location.partition(":")[0].strip().lower()
    if ":" in location.partition("/")[0] and scheme not in PORTS:
        raise Denied(f"{asked.url} leads to {location[:200]!r}, which is not followed", hint, "redirect")
    try:
        target = urls.joined(asked.target, location)
    except Invalid as error:
        raise Invalid(f"{asked.url} leads nowhere: {error.reason}", hint, error.detail) from None
    if (asked.target.scheme, target.scheme) == ("https", "http"):
        reason = f"{asked.url} leads out of https, to {str(target)[:200]}, which is not followed"
        raise Denied(reason, f"{hint}, and ask for its target if you mean it", "redirect")
    return target


def _as_meant(location: str) -> str:
    """Servers write UTF-8 where a header has Latin-1."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeDecodeError:
        return location
