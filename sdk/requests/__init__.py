"""The part of `requests` that most programs use, so that those which import it run as they are.

It is `net.get` and its siblings by other names: the same calls, the same grants, the same redirects. Different from
the real one: certificates are always checked (`verify=False` is refused), no proxy is used, text without a charset is
UTF-8, https never leads to http, at most 10 redirects are followed, and `timeout=None` is 30 seconds. There are no
`hooks`, no `PreparedRequest` and no digest; `elapsed` is not measured.

In a guest, and in `agentos.sdk.testing`, `import requests` is this module.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from types import ModuleType, SimpleNamespace
from typing import NoReturn

from agentos.sdk.http.cookies import Cookies
from agentos.sdk.http.headers import Headers
from agentos.sdk.requests import auth, exceptions, retries
from agentos.sdk.requests.exceptions import (
    ConnectionError,
    ConnectTimeout,
    HTTPError,
    JSONDecodeError,
    ReadTimeout,
    RequestException,
    Timeout,
    TooManyRedirects,
    URLRequired,
)
from agentos.sdk.requests.response import Response
from agentos.sdk.requests.session import Session, delete, get, head, options, patch, post, put, request

__all__ = [
    "ConnectTimeout",
    "ConnectionError",
    "HTTPError",
    "JSONDecodeError",
    "ReadTimeout",
    "RequestException",
    "Response",
    "Session",
    "Timeout",
    "TooManyRedirects",
    "URLRequired",
    "auth",
    "codes",
    "delete",
    "exceptions",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "request",
    "session",
]

__version__ = "2.32"

session = Session
codes = SimpleNamespace(**{status.name.lower(): status.value for status in HTTPStatus})


def _module(name: str, **names: object) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(names)
    return made


adapters = _module("requests.adapters", HTTPAdapter=retries.HTTPAdapter, Retry=retries.Retry)
cookies = _module("requests.cookies", RequestsCookieJar=Cookies)
models = _module("requests.models", Response=Response)
sessions = _module("requests.sessions", Session=Session)
status_codes = _module("requests.status_codes", codes=codes)
structures = _module("requests.structures", CaseInsensitiveDict=Headers)

# What scripts that use requests use of urllib3. There is nothing to warn of: no certificate goes unchecked.
_retry = _module("urllib3.util.retry", Retry=retries.Retry)
_util = _module("urllib3.util", Retry=retries.Retry, retry=_retry)
_warnings = _module("urllib3.exceptions", InsecureRequestWarning=Warning)
_urllib3 = _module("urllib3", Retry=retries.Retry, util=_util, exceptions=_warnings, disable_warnings=lambda *_: None)
packages = _module("requests.packages", urllib3=_urllib3)

ALSO_AS: dict[str, ModuleType] = {
    "requests": sys.modules[__name__],
    "requests.adapters": adapters,
    "requests.auth": auth,
    "requests.cookies": cookies,
    "requests.exceptions": exceptions,
    "requests.models": models,
    "requests.packages": packages,
    "requests.packages.urllib3": _urllib3,
    "requests.packages.urllib3.exceptions": _warnings,
    "requests.sessions": sessions,
    "requests.status_codes": status_codes,
    "requests.structures": structures,
    "urllib3": _urllib3,
    "urllib3.exceptions": _warnings,
    "urllib3.util": _util,
    "urllib3.util.retry": _retry,
}
"""What is imported under these names where a program runs."""


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"the part of requests that is here has no {name}: use requests.request(method, url, …)")
