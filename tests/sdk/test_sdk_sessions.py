"""Sessions: what requests have in common, and cookies that go back to where they are for and nowhere else."""

from __future__ import annotations

from typing import Any

from agentos.sdk import net
from agentos.sdk.testing import Grant, Kit, Reply

A = "https://a.example"
WWW = "https://www.a.example"


def web(answers: dict[str, Any]) -> Kit:
    hosts = ["a.example", "www.a.example", "b.example", "evil.example", "evil.co.uk"]
    bounds = {"host": hosts, "scheme": ["https", "http"], "port": ["443", "80"], "method": ["GET", "POST", "HEAD"]}
    return Kit(web=answers, grants=[Grant("net.fetch", **bounds)])


def sets(*cookies: str, **more: Any) -> Reply:
    headers = [("Set-Cookie", cookie) for cookie in cookies]
    return Reply(headers=[*headers, *more.pop("headers", {}).items()], **more)


def sent(kit: Kit) -> list[str]:
    return [seen.headers.get("Cookie", "") for seen in kit.web.seen]


def test_what_is_common_goes_with_each_request() -> None:
    kit = web({f"{A}/": "x"})
    with kit, net.Session() as session:
        session.headers.update({"X-Common": "1", "X-Both": "session"})
        session.params = {"key": "k"}
        session.auth = ("me", "word")
        session.get(f"{A}/", params={"q": 2}, headers={"X-Both": "own"})
        session.post(f"{A}/", headers={"X-Common": None}, auth=("you", "word"))
        session.head(f"{A}/")
    first, second, third = kit.web.seen
    assert first.url == f"{A}/?key=k&q=2"
    assert dict(first.headers) == {"X-Common": "1", "X-Both": "own", "Authorization": "Basic bWU6d29yZA=="}
    assert "X-Common" not in second.headers
    assert second.headers["Authorization"] != first.headers["Authorization"]
    assert third.method == "HEAD"
    assert dict(session.headers) == {"X-Common": "1", "X-Both": "session"}


def test_a_cookie_goes_back_to_its_host_path_and_scheme() -> None:
    kit = web({
        f"{A}/login": sets("host=1", "deep=2; Path=/deep", "safe=3; Secure", "below=4; Domain=a.example"),
        f"{A}/": "x", f"{A}/deep/x": "x", f"{WWW}/": "x", "http://a.example/": "x", "https://b.example/": "x",
    })  # fmt: skip
    with kit:
        session = net.Session()
        answer = session.get(f"{A}/login")
        for url in (f"{A}/", f"{A}/deep/x", f"{WWW}/", "http://a.example/", "https://b.example/"):
            session.get(url)
    assert answer.cookies.get_dict() == {"host": "1", "deep": "2", "safe": "3", "below": "4"}
    went = [set(filter(None, each.split("; "))) for each in sent(kit)[1:]]
    assert went == [
        {"host=1", "safe=3", "below=4"},
        {"host=1", "deep=2", "safe=3", "below=4"},
        {"below=4"},
        {"host=1", "below=4"},
        set(),
    ]


def test_nobody_sets_a_cookie_for_another_or_for_a_whole_country() -> None:
    answers = {
        "https://evil.example/": sets("a=1; Domain=a.example", "b=2; Domain=.example", "c=3; Domain=.co.uk"),
        "https://evil.co.uk/": sets("d=4; Domain=.co.uk", "e=5; Domain=co.uk"),
        f"{A}/": "x",
    }
    kit = web(answers)
    with kit:
        session = net.Session()
        session.get("https://evil.example/")
        session.get("https://evil.co.uk/")
        session.get(f"{A}/")
        assert len(session.cookies) == 0
    assert sent(kit) == ["", "", ""]


def test_a_cookie_that_a_redirect_sets_goes_on_with_it() -> None:
    login = sets("s=1", status=302, headers={"Location": "/in"})
    kit = web({f"{A}/login": login, f"{A}/in": sets("t=2", body="in")})
    with kit:
        session = net.Session()
        assert session.post(f"{A}/login", data={"user": "me"}).text == "in"
        assert session.cookies.get_dict() == {"s": "1", "t": "2"}
        assert net.get(f"{A}/login").text == "in"
    assert sent(kit) == ["", "s=1", "", "s=1"]


def test_a_cookie_expires_and_is_taken_back() -> None:
    kit = web({f"{A}/": sets("a=1; Max-Age=0", "b=2; Max-Age=3600"), f"{A}/out": sets("b=; Max-Age=0")})
    with kit:
        session = net.Session()
        session.get(f"{A}/")
        assert session.cookies.get_dict() == {"b": "2"}
        session.get(f"{A}/out")
        assert session.cookies.get_dict() == {}


def test_cookies_by_hand_are_for_one_host() -> None:
    away = Reply(status=302, headers={"Location": "https://b.example/"})
    kit = web({f"{A}/": away, f"{A}/here": "x", "https://b.example/": "x"})
    with kit:
        net.get(f"{A}/", cookies={"s": "1"})
        session = net.Session()
        session.cookies.set("t", "2", domain="a.example")
        session.get(f"{A}/here", cookies={"u": "3"})
        session.get("https://b.example/")
        jar = net.Cookies()
        jar.set("v", "4", domain="a.example", path="/here")
        net.get(f"{A}/here", cookies=jar)
    assert sent(kit) == ["s=1", "", "t=2; u=3", "", "v=4"]
    assert (jar["v"], jar.get("v"), jar.get("w"), "v" in jar, jar.keys(), jar.items()) == (
        "4", "4", None, True, ["v"], [("v", "4")],
    )  # fmt: skip


def test_two_sessions_know_nothing_of_each_other_and_an_empty_jar_looks_at_no_clock() -> None:
    kit = web({f"{A}/": sets("s=1"), f"{A}/plain": "x"})
    with kit:
        one, other = net.Session(), net.Session()
        one.get(f"{A}/")
        other.get(f"{A}/plain")
    assert len(one.cookies) == 1
    assert len(other.cookies) == 0
