"""`net.get(url)` and its siblings. Each is one call, or `.call(…)` to make several side by side with `gather`."""

from __future__ import annotations

from functools import partial
from typing import Unpack

from agentos.sdk.calls import Call, action
from agentos.sdk.http.following import whole
from agentos.sdk.http.request import Options, read
from agentos.sdk.http.response import Response


@action
def request(method: str, url: str, **options: Unpack[Options]) -> Call[Response]:
    """Ask a host for something and return its answer, whatever its status; redirects are followed, up to 10.

    Needs a grant of net.fetch (of net.head for HEAD), bounded by method, scheme, host, port and path; a redirect needs
    one for where it leads. Denied, NeedsApproval where there is none; Invalid where the URL or an argument is wrong;
    Unavailable where the host does not answer; LimitExceeded for a body beyond its limit, or too many redirects.
    Nothing is sent again by itself.

    params: Added to the URL as its query: a dict, pairs, or text.
    headers: A dict or pairs. What frames the message (Host, Content-Length, Accept-Encoding …) is not the program's.
    data: The body: bytes, text, an open file, or a dict or pairs, which are sent as a form.
    json: The body as JSON.
    files: A form with files: {"field": open(path, "rb")}, or (name, content) or (name, content, type) for each.
    auth: (user, password), or a function that is given the request and may set its headers.
    cookies: A dict, for this host alone; a net.Cookies is used and kept up as it is.
    timeout: Seconds until the head has come, and at most between two pieces of the body; 30 if none is given.
    allow_redirects: False returns a redirect as it is.
    stream: Return as soon as the head has come, and read the body as `iter_content` asks for it.
    most: At most this many bytes of body; 64 MiB if none is given.
    """
    asked = read(method, url, **options)
    return Call(asked.action, asked.args(), partial(whole, asked, kind=Response))


@action
def get(url: str, **options: Unpack[Options]) -> Call[Response]:
    """What is at a URL: `net.get(url).json()`. Takes what `request` takes.

    Needs a grant of net.fetch, bounded by method, scheme, host, port and path.
    """
    return request.call("GET", url, **options)


@action
def head(url: str, **options: Unpack[Options]) -> Call[Response]:
    """The head of what is at a URL. Redirects are followed only with `allow_redirects=True`.

    Needs a grant of net.head or net.fetch, bounded by method, scheme, host, port and path.
    """
    options.setdefault("allow_redirects", False)
    return request.call("HEAD", url, **options)


@action
def post(url: str, **options: Unpack[Options]) -> Call[Response]:
    """Send `json`, `data` or `files` to a URL. Takes what `request` takes.

    Needs a grant of net.fetch with `method = ["POST"]`, bounded by scheme, host, port and path.
    """
    return request.call("POST", url, **options)


@action
def put(url: str, **options: Unpack[Options]) -> Call[Response]:
    """Put `json` or `data` in the place of what is at a URL. Takes what `request` takes.

    Needs a grant of net.fetch with `method = ["PUT"]`, bounded by scheme, host, port and path.
    """
    return request.call("PUT", url, **options)


@action
def patch(url: str, **options: Unpack[Options]) -> Call[Response]:
    """Change what is at a URL by `json` or `data`. Takes what `request` takes.

    Needs a grant of net.fetch with `method = ["PATCH"]`, bounded by scheme, host, port and path.
    """
    return request.call("PATCH", url, **options)


@action
def delete(url: str, **options: Unpack[Options]) -> Call[Response]:
    """Delete what is at a URL. Takes what `request` takes.

    Needs a grant of net.fetch with `method = ["DELETE"]`, bounded by scheme, host, port and path.
    """
    return request.call("DELETE", url, **options)
