"""Trying again: what `requests.adapters` and `urllib3.util.retry` have for it."""

from __future__ import annotations

from collections.abc import Collection
from email.utils import parsedate_to_datetime
from typing import Any

from agentos.sdk import clock
from agentos.sdk.errors import Unavailable

SAFE = frozenset(("HEAD", "GET", "PUT", "DELETE", "OPTIONS", "TRACE"))
LONGEST_S = 120.0


class Retry:
    """How often to try again where a host did not answer, or answered with one of `status_forcelist`.

    Between two attempts it waits `backoff_factor × 2ⁿ` seconds, or as long as the answer's Retry-After says.
    """

    DEFAULT_ALLOWED_METHODS = SAFE

    def __init__(
        self,
        total: int | bool | None = 10,
        connect: int | None = None,
        read: int | None = None,
        redirect: int | None = None,
        status: int | None = None,
        other: int | None = None,
        *,
        allowed_methods: Collection[str] | bool | None = SAFE,
        status_forcelist: Collection[int] | None = None,
        backoff_factor: float = 0,
        backoff_max: float = LONGEST_S,
        raise_on_redirect: bool = True,
        raise_on_status: bool = True,
        respect_retry_after_header: bool = True,
    ) -> None:
        limits = [int(limit) for limit in (total, connect, read, status) if limit is not None]
        self.times = min(limits, default=0)
        self.allowed_methods = allowed_methods
        self.status_forcelist = frozenset(status_forcelist or ())
        self.backoff_factor, self.backoff_max = backoff_factor, min(backoff_max, LONGEST_S)
        self.raise_on_status, self.respect_retry_after_header = raise_on_status, respect_retry_after_header

    @classmethod
    def of(cls, given: Retry | int | bool | None) -> Retry:
        return given if isinstance(given, Retry) else cls(int(given or 0))

    def again(self, method: str, outcome: Any) -> bool:
        """Whether such an outcome, an answer or an error, is worth another attempt."""
        if isinstance(self.allowed_methods, Collection) and method not in self.allowed_methods:
            return False
        return isinstance(outcome, Unavailable) or getattr(outcome, "status", 0) in self.status_forcelist

    def wait(self, attempt: int, outcome: Any) -> None:
        """The pause before the next attempt; the first of them has none."""
        seconds = self.backoff_factor * 2**attempt if attempt else 0.0
        after = getattr(outcome, "headers", {}).get("Retry-After", "")
        if after and self.respect_retry_after_header:
            seconds = _seconds(after)
        if seconds > 0:
            clock.sleep(ms=int(min(seconds, self.backoff_max) * 1000))


def _seconds(after: str) -> float:
    """Retry-After, which is a number of seconds or a date."""
    if after.isascii() and after.isdigit():
        return float(after)
    try:
        return parsedate_to_datetime(after).timestamp() - clock.now().unix_ms / 1000
    except ValueError:
        return 0.0


class HTTPAdapter:
    """What a session has for the URLs of one beginning: how often it tries again. Pools are no matter here."""

    def __init__(self, pool_connections: int = 10, pool_maxsize: int = 10, max_retries: Any = 0, **_: Any) -> None:
        self.max_retries = Retry.of(max_retries)

    def close(self) -> None: ...
