"""Cookies in a jar that the program owns: in its memory, gone with its run, by the rules of http.cookiejar."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from urllib.request import Request

from agentos.sdk.http import urls
from agentos.sdk.http.headers import Headers


class Cookies(CookieJar):
    """A cookie jar: by name as a dict, and as http.cookiejar has it.

    A cookie goes back to the host, path and scheme that it is for, and nowhere else. To know which have expired takes
    a look at the clock, which is a call; where none does, none is made.
    """

    def __init__(self) -> None:
        host_only = DefaultCookiePolicy.DomainStrictNonDomain  # one set for example.com is not for its subdomains
        super().__init__(DefaultCookiePolicy(strict_domain=True, strict_ns_domain=host_only))

    def take(self, url: str, headers: Headers) -> None:
        """Keep what an answer sets."""
        if "Set-Cookie" in headers:
            self.extract_cookies(_Answer(headers), Request(url))  # type: ignore[arg-type]  # noqa: S310

    def header(self, url: str) -> str:
        """What goes with a request as its Cookie header; may be empty."""
        if not len(self):
            return ""
        for cookie in [cookie for cookie in self if not cookie.domain]:
            self.clear("", cookie.path, cookie.name)
            self.set(cookie.name, cookie.value or "", domain=urls.split(url).host, path=cookie.path)
        # What add_cookie_header does, without its looks at the clock where no cookie says when it expires.
        now = int(time.time()) if any(cookie.expires is not None for cookie in self) else 0
        self._policy._now = self._now = now  # type: ignore[attr-defined]  # noqa: SLF001
        fitting = self._cookies_for_request(Request(url))  # type: ignore[attr-defined]  # noqa: S310
        return "; ".join(self._cookie_attrs(fitting))  # type: ignore[attr-defined]

    def set(self, name: str, value: str, *, domain: str = "", path: str = "/", secure: bool = False) -> None:
        """Place a cookie by hand: for this host, for `.example.com` and all below it, or for the next one asked."""
        below = domain.startswith(".")
        if domain and "." not in domain:
            domain += ".local"  # as http.cookiejar knows a host without a domain
        self.set_cookie(
            Cookie(
                version=0, name=name, value=value, port=None, port_specified=False, domain=domain,
                domain_specified=below, domain_initial_dot=below, path=path, path_specified=True, secure=secure,
                expires=None, discard=True, comment=None, comment_url=None, rest={},
            )
        )  # fmt: skip

    def update(self, cookies: Mapping[str, str] | CookieJar) -> None:
        """Take these over, from a jar or by name."""
        if isinstance(cookies, CookieJar):
            for cookie in cookies:
                self.set_cookie(cookie)
            return
        for name, value in cookies.items():
            self.set(name, value)

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first cookie of this name, whatever its host."""
        return next((cookie.value for cookie in self if cookie.name == name), default)

    def get_dict(self) -> dict[str, str]:
        """Names and values, of all hosts together."""
        return {cookie.name: cookie.value or "" for cookie in self}

    def keys(self) -> list[str]:
        return [cookie.name for cookie in self]

    def items(self) -> list[tuple[str, str | None]]:
        return [(cookie.name, cookie.value) for cookie in self]

    def __getitem__(self, name: str) -> str | None:
        for cookie in self:
            if cookie.name == name:
                return cookie.value
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in (cookie, cookie.name) for cookie in self)

    def __iter__(self) -> Iterator[Cookie]:
        return super().__iter__()


class _Answer:
    """An answer as http.cookiejar looks at one."""

    def __init__(self, headers: Headers) -> None:
        self._message = Message()
        for name in ("Set-Cookie", "Set-Cookie2"):
            for value in headers.all(name):
                self._message[name] = value

    def info(self) -> Message:
        return self._message


def bound(cookies: Mapping[str, str] | CookieJar) -> Cookies:
    """Given by name alone they are for the host that is asked, and for no other that it may lead to."""
    jar = Cookies()
    jar.update(cookies)
    return jar
