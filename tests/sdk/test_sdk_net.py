"""`net.get` and what is around it, against a web in memory under the rules of the kit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from agentos.sdk import Call, Denied, Invalid, LimitExceeded, NeedsApproval, Unavailable, call, gather, net
from agentos.sdk.testing import Grant, Kit, Reply, Seen, Web

A, B = "https://a.example", "https://b.example"
ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def web(answers: dict[str, Any], *, method: list[str] | None = None, **bounds: Any) -> Kit:
    """Both hosts granted, for every method."""
    hosts = {"host": ["a.example", "b.example"], "method": method or ANY}
    return Kit(web=answers, grants=[Grant("net.fetch", **(hosts | bounds))])


def echo(seen: Seen) -> dict[str, Any]:
    return {"method": seen.method, "url": seen.url, "headers": dict(seen.headers), "body": seen.body.decode("latin-1")}


def goes(to: str, status: int = 302, **headers: str) -> Reply:
    return Reply(status=status, headers={"Location": to, **headers})


def calls(kit: Kit) -> list[str]:
    return [made.action for made in kit.calls]


# ---- one request


def test_json_text_and_bytes_come_back() -> None:
    kit = web({f"{A}/j": {"n": 1}, f"{A}/t": "grüße", f"{A}/b": b"\0\1"})
    with kit:
        assert net.get(f"{A}/j").json() == {"n": 1}
        assert net.get(f"{A}/t").text == "grüße"
        assert net.get(f"{A}/b").content == b"\0\1"
    assert calls(kit) == ["net.fetch"] * 3


def test_an_answer_says_what_it_is() -> None:
    with web({f"{A}/x": Reply("no", 404, {"X-A": "1", "Link": f'<{A}/x?p=2>; rel="next", <{A}/x>; rel=first'})}):
        answer = net.get(f"{A}/x", params={"p": 1})
    assert (answer.status, answer.status_code, answer.reason, answer.ok, bool(answer)) == (
        404, 404, "Not Found", False, False,
    )  # fmt: skip
    assert answer.url == f"{A}/x?p=1"
    assert answer.headers["x-a"] == answer.headers["X-A"] == "1"
    assert answer.links["next"]["url"] == f"{A}/x?p=2"
    assert answer.links["first"]["url"] == f"{A}/x"
    assert repr(answer) == "<Response [404]>"
    with pytest.raises(net.HTTPError, match="404 Not Found for GET https://a") as caught:
        answer.raise_for_status()
    assert caught.value.response is answer
    assert answer.text == "no"


def test_each_method_sends_what_it_was_given() -> None:
    kit = web({f"{A}/": echo})
    with kit:
        assert net.post(f"{A}/", json={"a": "ü"}).json()["body"] == '{"a": "\\u00fc"}'
        assert net.put(f"{A}/", data="ü").json()["body"] == "ü".encode().decode("latin-1")
        assert net.patch(f"{A}/", data={"a": [1, "x y"], "b": None}).json()["body"] == "a=1&a=x+y"
        assert net.post(f"{A}/", data=io.BytesIO(b"file")).json()["body"] == "file"
        assert net.delete(f"{A}/").json()["method"] == "DELETE"
        assert net.request("get", f"{A}/").json()["method"] == "GET"
        head = net.head(f"{A}/")
    assert (head.status, head.content) == (200, b"")
    kinds = [seen.headers.get("Content-Type") for seen in kit.web.seen]
    assert kinds == ["application/json", None, "application/x-www-form-urlencoded", None, None, None, None]
    assert calls(kit)[-1] == "net.head"


def test_what_frames_a_message_is_left_to_the_server() -> None:
    given = {"Host": "a.example", "Content-Length": "999", "Connection": "close", "Accept-Encoding": "br", "X": "1"}
    with web({f"{A}/": echo}):
        assert net.get(f"{A}/", headers=given).json()["headers"] == {"X": "1"}
        with pytest.raises(Invalid, match="Host header"):
            net.get(f"{A}/", headers={"Host": "b.example"})


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"headers": {"X": 1}}, "a header is text"),
        ({"headers": {"X": "€"}}, "beyond Latin-1"),
        ({"timeout": 0}, "a timeout is a number of seconds"),
        ({"timeout": float("inf")}, "a timeout is a number of seconds"),
        ({"files": {"f": b""}, "data": "x"}, "named fields"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_any_call(options: Any, why: str) -> None:
    kit = web({f"{A}/": echo})
    with kit, pytest.raises(Invalid, match=why):
        net.post(f"{A}/", **options)
    assert not kit.calls


def test_an_option_that_there_is_not_is_a_type_error() -> None:
    with web({}), pytest.raises(TypeError, match="verify"):
        net.get(f"{A}/", verify=False)  # type: ignore[call-arg]


@pytest.mark.parametrize(("timeout", "ms"), [(2, 2000), (0.0001, 1), ((1, 2.5), 3500), ((None, 2), 2000), (None, None)])
def test_a_timeout_is_in_seconds(timeout: Any, ms: int | None) -> None:
    kit = web({f"{A}/": "x"})
    with kit:
        net.get(f"{A}/", timeout=timeout)
    assert kit.calls[0].args.get("timeout_ms") == ms


def test_credentials_go_in_a_header() -> None:
    def sign(request: Any) -> None:
        request.headers["X-Signed"] = f"{request.method} {request.url} {len(request.body)}"

    with web({f"{A}/": echo}):
        assert net.get(f"{A}/", auth=("me", "wörd")).json()["headers"]["Authorization"] == "Basic bWU6d8O2cmQ="
        assert net.post(f"{A}/", data=b"abc", auth=sign).json()["headers"]["X-Signed"] == f"POST {A}/ 3"


def test_a_form_may_have_files() -> None:
    kit = web({f"{A}/": echo})
    with kit:
        net.post(f"{A}/", data={"title": "Owls"}, files={"f": ('a".csv', b"1,2"), "g": (None, "x", "text/plain")})
    (seen,) = kit.web.seen
    boundary = seen.headers["Content-Type"].partition("boundary=")[2]
    assert seen.body.decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nOwls\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a%22.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n1,2\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="g"; filename="g"\r\n'
        f"Content-Type: text/plain\r\n\r\nx\r\n--{boundary}--\r\n"
    )


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("grüße".encode("latin-1"), 'text/plain; charset="ISO-8859-1"', "grüße"),
        ("grüße".encode(), "text/html", "grüße"),
        (b"\xef\xbb\xbfx", "text/csv", "x"),
        (b"a\xff", "text/plain", "a�"),
        ("x".encode("utf-16"), "text/plain; charset=utf-16", "x"),
        (b"x", "text/plain; charset=nonsense", "x"),
        (b"x", "text/plain; charset=base64", "x"),
        (b"x", "text/plain; charset=", "x"),
        (b"x", ";;;===", "x"),
    ],
)
def test_text_is_read_in_its_charset(body: bytes, kind: str, text: str) -> None:
    with web({f"{A}/": Reply(body, headers={"Content-Type": kind})}):
        assert net.get(f"{A}/").text == text
        assert "".join(net.get(f"{A}/").iter_content(1, decode_unicode=True)).lstrip("\ufeff") == text


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": "\xff"}', b'{"a": 1'])
def test_what_is_no_json_says_so(body: bytes) -> None:
    with web({f"{A}/": Reply(body)}), pytest.raises(json.JSONDecodeError):
        net.get(f"{A}/").json()


# ---- what was not granted


def test_a_refusal_names_the_line() -> None:
    with Kit(web={f"{A}/": "x"}), pytest.raises(Denied) as caught:
        net.get(f"{A}/v1")
    assert (
        caught.value.hint
        == 'add "net.fetch" = { host = ["a.example"] } to its manifest, only if you trust this program'
    )
    with Kit(web={f"{A}/": "x"}), pytest.raises(Denied) as caught:
        net.post("http://a.example:8080/v1")
    assert caught.value.hint == (
        'add "net.fetch" = { method = ["POST"], scheme = ["http"], host = ["a.example"], port = ["8080"] } '
        "to its manifest, only if you trust this program"
    )


@pytest.mark.parametrize(
    ("call", "covered"),
    [
        (net.get.call(f"{A}/v1/x?y=../.."), True),
        (net.head.call(f"{A}/v1/x"), True),
        (net.get.call(f"{A}/v2/x"), False),
        (net.post.call(f"{A}/v1/x"), False),
        (net.get.call("http://a.example/v1/x"), False),
        (net.get.call(f"{A}:444/v1/x"), False),
        (net.get.call("https://A.EXAMPLE./v1/x"), None),
        (net.get.call("https://sub.a.example/v1/x"), False),
        (net.get.call(f"{A}/v1/../v2/x"), None),
        (net.get.call(f"{A}/v1/%2e%2e/v2/x"), None),
        (net.get.call(f"{A}//v1/x"), None),
        (net.get.call("https://2130706433/v1/x"), None),
        (net.get.call("https://xn--bcher-kva.example/v1/x"), False),
    ],
)
def test_a_grant_is_bounded_by_each_part(call: Call[net.Response], covered: bool | None) -> None:
    kit = Kit(web={f"{A}/v1/x": "x"}, grants=[Grant("net.fetch", host="a.example", path="/v1/**")])
    with kit:
        answer, _ = gather(call, net.get.call(f"{A}/v1/x"))
    assert isinstance(answer, net.Response if covered else Invalid if covered is None else Denied)
    assert len(kit.web.seen) == 1 + bool(covered)


def test_a_narrow_grant_of_the_head_reads_no_body() -> None:
    with Kit(web={f"{A}/": "x"}, grants=[Grant("net.head", host="a.example")]):
        assert net.head(f"{A}/").ok
        with pytest.raises(Denied):
            net.get(f"{A}/")


def test_a_host_on_another_network_is_refused_at_the_moment_of_use() -> None:
    answers = {"http://localhost:8000/": "x", "http://10.0.0.1:8000/": "y", "http://[::1]:8000/": "z"}
    here = {"host": ["localhost", "10.0.0.1", "::1"], "scheme": "http", "port": "8000"}
    with Kit(web=answers, grants=[Grant("net.fetch", **here)]):
        for url in answers:
            with pytest.raises(Denied, match="leads to"):
                net.get(url)
    with Kit(web=answers, grants=[Grant("net.fetch", **here, network=["loopback"])]):
        assert net.get("http://localhost:8000/").text == "x"
        assert net.get("http://[::1]:8000/").text == "z"
        with pytest.raises(Denied, match="leads to"):
            net.get("http://10.0.0.1:8000/")


@pytest.mark.parametrize("name", ["network", "secret"])
def test_what_is_for_the_manifest_to_say_no_call_says(name: str) -> None:
    args = {"method": "GET", "scheme": "https", "host": "a.example", name: "lan"}
    kit = web({})
    with kit, pytest.raises(Invalid, match=f"{name} is for the manifest to say"):
        call("net.fetch", args)


def test_asked_always_is_asked() -> None:
    with Kit(asks=[Grant("net.fetch", host="a.example")]), pytest.raises(NeedsApproval):
        net.get(f"{A}/")


def test_what_may_be_sent_is_a_budget() -> None:
    with web({f"{A}/": "x"}, sent=5):
        net.post(f"{A}/", data=b"abc")
        with pytest.raises(LimitExceeded, match="sent"):
            net.post(f"{A}/", data=b"def")


# ---- redirects


def test_a_redirect_is_followed_as_a_call_of_its_own() -> None:
    kit = web({f"{A}/a": goes("/b?c"), f"{A}/b": goes(f"{B}/d", 301), f"{B}/d": "end"})
    with kit:
        answer = net.get(f"{A}/a")
    assert (answer.text, answer.url) == ("end", f"{B}/d")
    assert [each.url for each in answer.history] == [f"{A}/a", f"{A}/b?c"]
    assert calls(kit) == ["net.fetch"] * 3
    with kit:
        assert net.get(f"{A}/a", allow_redirects=False).status == 302


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"), (301, "DELETE", "DELETE"), (307, "POST", "POST"), (308, "PUT", "PUT"), (302, "GET", "GET"),
    ],
)  # fmt: skip
def test_a_redirect_keeps_or_changes_the_method_as_browsers_do(status: int, method: str, becomes: str) -> None:
    kit = web({f"{A}/a": goes("/b", status), f"{A}/b": "end"})
    sent = b"" if method in ("GET", "HEAD") else b"body"
    with kit:
        net.request(method, f"{A}/a", data=sent, headers={"Content-Type": "text/plain"})
    last = kit.web.seen[-1]
    assert last.method == becomes
    assert last.body == (sent if becomes == method else b"")
    assert ("Content-Type" in last.headers) == (becomes == method)


def test_credentials_stay_with_the_origin_they_were_given_for() -> None:
    kit = web(
        {f"{A}/a": goes("/b"), f"{A}/b": goes(f"{B}/c"), f"{B}/c": goes(f"{A}/d"), f"{A}/d": "end"}, port=["443", "444"]
    )
    with kit:
        net.get(f"{A}/a", auth=("me", "word"), headers={"Cookie": "a=1", "X-Mine": "kept"})
    assert ["Authorization" in seen.headers for seen in kit.web.seen] == [True, True, False, False]
    assert ["Cookie" in seen.headers for seen in kit.web.seen] == [True, True, False, False]
    assert all(seen.headers["X-Mine"] == "kept" for seen in kit.web.seen)


@pytest.mark.parametrize("to", ["https://a.example:444/x", "https://b.example/x"])
def test_another_port_is_another_origin(to: str) -> None:
    kit = web({f"{A}/a": goes(to), to: "end"}, port=["443", "444"])
    with kit:
        net.get(f"{A}/a", headers={"authorization": "Bearer t"}, cookies={"s": "1"})
    assert [set(seen.headers) for seen in kit.web.seen] == [{"authorization", "Cookie"}, kit.web.seen[1].headers.keys()]
    assert "authorization" not in kit.web.seen[1].headers


def test_a_redirect_to_what_was_not_granted_is_refused_with_its_line() -> None:
    kit = Kit(web={f"{A}/a": goes("https://evil.example/x")}, grants=[Grant("net.fetch", host="a.example")])
    with kit:
        with pytest.raises(Denied) as caught:
            net.get(f"{A}/a")
        assert 'host = ["evil.example"]' in caught.value.hint
        answer = net.get(f"{A}/a", allow_redirects=False)
    assert answer.headers["Location"] == "https://evil.example/x"
    assert [seen.url for seen in kit.web.seen] == [f"{A}/a"] * 2


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("http://a.example/x", "leads out of https"),
        ("file:///etc/passwd", "not followed"),
        ("gopher://a.example/", "not followed"),
        ("data:text/plain,x", "not followed"),
        ("javascript:1", "not followed"),
    ],
)
def test_nothing_leads_out_of_https_or_of_http(to: str, why: str) -> None:
    kit = web({f"{A}/a": goes(to)}, scheme=["https", "http"], port=["443", "80"])
    with kit, pytest.raises(Denied, match=why) as caught:
        net.get(f"{A}/a")
    assert caught.value.detail == "redirect"
    assert "allow_redirects=False" in caught.value.hint
    assert calls(kit) == ["net.fetch"]


@pytest.mark.parametrize("to", ["https://me@a.example/", "/\\evil.example", "/a\tb", "https://", "https://[::1/"])
def test_a_redirect_that_can_be_read_in_two_ways_is_not_followed(to: str) -> None:
    kit = web({f"{A}/a": goes(to)})
    with kit, pytest.raises(Invalid, match="leads nowhere"):
        net.get(f"{A}/a")
    assert calls(kit) == ["net.fetch"]


def test_a_loop_ends() -> None:
    kit = web({f"{A}/a": goes("/b"), f"{A}/b": goes("/a")})
    with kit, pytest.raises(LimitExceeded, match="after 10 redirects") as caught:
        net.get(f"{A}/a")
    assert caught.value.detail == "redirects"
    assert len(kit.calls) == 11


def test_a_redirect_in_utf_8_leads_where_it_means() -> None:
    kit = web({f"{A}/a": goes("/ö".encode().decode("latin-1")), f"{A}/ö": "end"})
    with kit:
        assert net.get(f"{A}/a").text == "end"


def test_a_status_without_a_place_to_go_is_an_answer() -> None:
    with web({f"{A}/a": Reply(status=302), f"{A}/b": goes("/a", 304)}):
        assert net.get(f"{A}/a").status == 302
        assert net.get(f"{A}/b").status == 304


# ---- bodies


LONG = bytes(range(256)) * 12_288  # 3 MiB


def test_a_long_body_is_read_on() -> None:
    kit = web({f"{A}/": LONG})
    with kit:
        assert net.get(f"{A}/").content == LONG
    assert calls(kit) == ["net.fetch", "net.read", "net.read"]


def test_a_stream_is_read_as_it_is_asked_for() -> None:
    kit = web({f"{A}/": LONG})
    with kit, net.get(f"{A}/", stream=True) as answer:
        pieces = answer.iter_content(1000)
        assert [len(next(pieces)) for _ in range(3)] == [1000] * 3
        with pytest.raises(RuntimeError, match="piece by piece"):
            answer.content  # noqa: B018
    assert calls(kit) == ["net.fetch", "net.read", "net.close"]
    assert b"".join(answer.iter_content()) == b""


def test_a_stream_may_be_read_whole_all_the_same() -> None:
    kit = web({f"{A}/": LONG})
    with kit:
        answer = net.get(f"{A}/", stream=True)
        assert answer.content == LONG
        assert b"".join(answer.iter_content(None)) == LONG
    assert "net.close" not in calls(kit)


def test_lines_come_whole_whatever_the_pieces() -> None:
    body = "eins\r\nzwei\n\nvier ü\rx\nend"
    lines = ["eins", "zwei", "", "vier ü\rx", "end"]
    with web({f"{A}/": body}):
        for size in (1, 2, 3, 7, None):
            for stream in (True, False):
                answer = net.get(f"{A}/", stream=stream)
                assert list(answer.iter_lines(size, decode_unicode=True)) == lines
                assert [line.decode() for line in net.get(f"{A}/", stream=stream).iter_lines(size)] == lines
        assert list(net.get(f"{A}/").iter_lines(delimiter=b"i"))[:2] == [b"e", b"ns\r\nzwe"]
        assert next(iter(net.get(f"{A}/"))) == body.encode()


@pytest.mark.parametrize("options", [{"most": 1_500_000}, {}])
def test_a_body_that_was_cut_off_is_never_taken_for_the_whole(options: Any) -> None:
    kit = web({f"{A}/": LONG}, received=2_000_000)
    limit = options.get("most", 2_000_000)
    with kit:
        with pytest.raises(LimitExceeded, match="cut off"):
            net.get(f"{A}/", **options)
        answer = net.get(f"{A}/", stream=True, **options)
        for _ in range(2):
            with pytest.raises(LimitExceeded, match="cut off"):
                answer.content  # noqa: B018
        stream = net.get(f"{A}/", stream=True, **options).iter_content(None)
        got: list[bytes] = []
        with pytest.raises(LimitExceeded, match="cut off"):
            got.extend(stream)
    assert b"".join(got) == LONG[:limit]


def test_an_error_in_between_loses_nothing_that_came() -> None:
    kit = web({f"{A}/": LONG})
    read: Callable[..., Any] = kit.web.read
    failures = iter([False, True, False, False, True])

    def shaky(request: Any, bounds: Any) -> Any:
        if next(failures, False):
            raise Unavailable("the connection broke", "try again")
        return read(request, bounds)

    kit.web.read = shaky  # type: ignore[method-assign]
    with kit:
        answer = net.get(f"{A}/", stream=True)
        with pytest.raises(Unavailable):
            answer.content  # noqa: B018
        assert answer.content == LONG
        with pytest.raises(Unavailable):
            net.get(f"{A}/")


def test_what_a_redirect_leaves_unread_is_given_up() -> None:
    kit = web({f"{A}/a": Reply(LONG, 302, {"Location": "/b"}), f"{A}/b": "end"})
    with kit:
        assert net.get(f"{A}/a").text == "end"
    assert calls(kit) == ["net.fetch", "net.close", "net.fetch"]


def test_several_are_fetched_side_by_side_each_with_its_own_end() -> None:
    kit = web({f"{A}/a": "x", f"{A}/r": goes("https://c.example/"), f"{A}/t": goes("/a")})
    with kit:
        good, refused, led, away = gather(
            net.get.call(f"{A}/a"), net.get.call("https://c.example/"), net.get.call(f"{A}/t"), net.get.call(f"{A}/r")
        )
    assert isinstance(good, net.Response)
    assert isinstance(led, net.Response)
    assert (good.text, led.text) == ("x", "x")
    assert isinstance(refused, Denied)
    assert isinstance(away, Denied)


def test_a_program_is_tried_with_a_web(tmp_path: Any) -> None:
    program = tmp_path / "owls.py"
    program.write_text(
        '# /// script\n# [tool.agentos.grants]\n# "net.fetch" = { host = ["a.example"] }\n# ///\n'
        f"from agentos.sdk import net\nresult = [o['name'] for o in net.get('{A}/owls', params={{'n': 1}}).json()]\n"
    )
    kit = Kit.under_manifest(program, web=Web({f"{A}/owls": [{"name": "Ada"}]}))
    assert kit.run(program).result == ["Ada"]
    assert kit.web.seen[0].url == f"{A}/owls?n=1"
