"""Sessions, and the functions that need none."""

from __future__ import annotations

from typing import Any, Self

from agentos.sdk import wire
from agentos.sdk.errors import AgentError, Denied
from agentos.sdk.http import session
from agentos.sdk.http.following import whole
from agentos.sdk.http.request import HOPS, Request
from agentos.sdk.requests import exceptions
from agentos.sdk.requests.response import Response
from agentos.sdk.requests.retries import HTTPAdapter, Retry

# What may be said beside what net.request takes, and why it changes nothing here.
_LOOSER = {
    "verify": "certificates are always checked",
    "cert": "a program brings no certificates",
    "proxies": "a program sets no proxy",
}


class Session(session.Session):
    """Headers, cookies, credentials and retries that several requests have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.verify: Any = True
        self.cert: Any = None
        self.proxies: dict[str, str] = {}
        self.trust_env = False  # whatever it is: there is no environment
        self.stream = False
        self.max_redirects = HOPS  # fewer, if it says so; never more
        self.adapters: dict[str, HTTPAdapter] = {"https://": HTTPAdapter(), "http://": HTTPAdapter()}

    def mount(self, prefix: str, adapter: HTTPAdapter) -> None:
        """Use an adapter for the URLs that begin so."""
        self.adapters[prefix] = adapter

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Ask a host for something. What goes wrong is a RequestException, and the SDK's own error as well."""
        options = {name: value for name, value in options.items() if value is not None or name == "timeout"}
        options.setdefault("stream", self.stream)
        url = str(url)
        try:
            self._strict(options)
            asked = self._read(method, url, options)  # type: ignore[arg-type]
            asked.hops = min(self.max_redirects, HOPS)
            return self._tried(asked, self._retry(url))
        except AgentError as error:
            failed = error if isinstance(error, exceptions.RequestException) else exceptions.of(error, url)
        raise failed

    def get(self, url: str, params: Any = None, **options: Any) -> Response:
        return self.request("GET", url, params=params, **options)

    def options(self, url: str, **options: Any) -> Response:
        return self.request("OPTIONS", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        return self.request("HEAD", url, **{"allow_redirects": False, **options})

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> Response:
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> Response:
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> Response:
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> Response:
        return self.request("DELETE", url, **options)

    def _strict(self, options: dict[str, Any]) -> None:
        """Take out what requests knows and net does not; what would loosen something is refused."""
        for name, why in _LOOSER.items():
            given = options.pop(name, None)
            given = getattr(self, name) if given is None else given
            if given is not True and (given or name == "verify"):
                raise Denied(why, f"leave {name}= out")

    def _retry(self, url: str) -> Retry:
        """That of the adapter whose beginning fits best."""
        fitting = [prefix for prefix in self.adapters if url.lower().startswith(prefix.lower())]
        return self.adapters[max(fitting, key=len)].max_retries if fitting else Retry(0)

    def _tried(self, asked: Request, retry: Retry) -> Response:
        outcome = self._outcome(asked)
        for attempt in range(retry.times):
            if not retry.again(asked.method, outcome):
                break
            if isinstance(outcome, Response):
                outcome.close()
            retry.wait(attempt, outcome)
            outcome = self._outcome(asked)
        if isinstance(outcome, AgentError):
            raise outcome
        if retry.times and retry.raise_on_status and retry.again(asked.method, outcome):
            raise exceptions.RetryError(f"{asked.url} answered {outcome.status} each time", response=outcome)
        return outcome

    def _outcome(self, asked: Request) -> Response | AgentError:
        try:
            answer = whole(asked, wire.call(asked.action, asked.args()), Response)
            self._keep(asked, answer)
        except AgentError as error:
            return error
        return answer

    def _keep(self, asked: Request, answer: Response) -> None:
        asked.jar.take(answer.url, answer.headers)

    def __enter__(self) -> Self:
        return self


class _Once(Session):
    """For one request: what it leaves behind is not looked at."""

    def _keep(self, asked: Request, answer: Response) -> None: ...


def request(method: str, url: str, **options: Any) -> Response:
    """One request, of no session."""
    return _Once().request(method, url, **options)


def get(url: str, params: Any = None, **options: Any) -> Response:
    return request("GET", url, params=params, **options)


def options(url: str, **options: Any) -> Response:
    return request("OPTIONS", url, **options)


def head(url: str, **options: Any) -> Response:
    return _Once().head(url, **options)


def post(url: str, data: Any = None, json: Any = None, **options: Any) -> Response:
    return request("POST", url, data=data, json=json, **options)


def put(url: str, data: Any = None, **options: Any) -> Response:
    return request("PUT", url, data=data, **options)


def patch(url: str, data: Any = None, **options: Any) -> Response:
    return request("PATCH", url, data=data, **options)


def delete(url: str, **options: Any) -> Response:
    return request("DELETE", url, **options)
