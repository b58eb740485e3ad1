"""Cookies in a jar that the program owns: in its memory, gone with its run, by the rules of http.cookiejar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from urllib.request import Request

from agentos.sdk.http.headers import Headers


class Cookies(CookieJar):
    """A cookie jar: by name as a dict, and as http.cookiejar has it.

    A cookie goes back to the host, path and scheme that it is for, and nowhere else. To know which have expired takes
    a look at the clock, which is a call; an empty jar makes none.
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
        request = Request(url)  # noqa: S310  (a name for the jar; nothing is opened)
        self.add_cookie_header(request)
        return str(request.get_header("Cookie", ""))

    def set(self, name: str, value: str, *, domain: str, path: str = "/", secure: bool = False) -> None:
        """Place a cookie by hand, for this host (or for `.example.com`, all below it)."""
        below = domain.startswith(".")
        if "." not in domain:
            domain += ".local"  # as http.cookiejar knows a host without a domain
        self.set_cookie(
            Cookie(
                version=0, name=name, value=value, port=None, port_specified=False, domain=domain,
                domain_specified=below, domain_initial_dot=below, path=path, path_specified=True, secure=secure,
                expires=None, discard=True, comment=None, comment_url=None, rest={},
            )
        )  # fmt: skip

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


def bound(cookies: Mapping[str, str], host: str) -> Cookies:
    """Cookies given by name alone: for the host that is asked, and for no other that it may lead to."""
    jar = Cookies()
    for name, value in cookies.items():
        jar.set(name, value, domain=host)
    return jar
