"""What goes wrong, by the names that `requests` has for it. What a call failed with lies under each, with its hint."""

from __future__ import annotations

import json
from typing import Any

from agentos.sdk.errors import AgentError


class RequestException(OSError):
    """Whatever goes wrong with a request."""

    request: Any = None
    response: Any = None

    def __init__(self, *args: object, request: Any = None, response: Any = None) -> None:
        super().__init__(*args)
        self.response = response
        self.request = request or getattr(response, "request", None)


class HTTPError(RequestException):
    """An answer from 400 on, as `raise_for_status` raises it."""


class ConnectionError(RequestException):
    """The host did not answer, or was not granted."""


class ProxyError(ConnectionError): ...


class SSLError(ConnectionError): ...


class Timeout(RequestException): ...


class ConnectTimeout(ConnectionError, Timeout): ...


class ReadTimeout(Timeout): ...


class URLRequired(RequestException): ...


class TooManyRedirects(RequestException): ...


class MissingSchema(RequestException, ValueError): ...


class InvalidSchema(RequestException, ValueError): ...


class InvalidURL(RequestException, ValueError): ...


class InvalidHeader(RequestException, ValueError): ...


class ChunkedEncodingError(RequestException): ...


class ContentDecodingError(RequestException): ...


class StreamConsumedError(RequestException, TypeError): ...


class RetryError(RequestException): ...


class InvalidJSONError(RequestException): ...


class JSONDecodeError(InvalidJSONError, json.JSONDecodeError):
    """The body is no JSON."""

    def __init__(self, error: json.JSONDecodeError, response: Any) -> None:
        json.JSONDecodeError.__init__(self, error.msg, error.doc, error.pos)
        self.response, self.request = response, response.request


def of(error: AgentError, url: str) -> AgentError:
    """The same error, which is caught by its name in requests too."""
    kind = _both(type(error), _kind(error, url))
    return kind(error.reason, error.hint, error.detail)


def _kind(error: AgentError, url: str) -> type[RequestException]:
    if error.detail == "bad_name":
        scheme, mark, _ = url.partition("://")
        if not mark:
            return MissingSchema
        return InvalidURL if scheme.lower() in ("http", "https") else InvalidSchema
    if error.detail == "timeout":
        return ReadTimeout
    if error.detail == "redirects":
        return TooManyRedirects
    if error.detail in ("tls", "other_host"):
        return SSLError
    return RequestException if error.code in ("invalid", "limit") else ConnectionError


_made: dict[tuple[type, type], type[AgentError]] = {}


def _both(error: type[AgentError], kind: type[RequestException]) -> type[AgentError]:
    if (error, kind) not in _made:
        names = {"__module__": kind.__module__, "__doc__": kind.__doc__}
        _made[error, kind] = type(kind.__name__, (error, kind), names)
    return _made[error, kind]
