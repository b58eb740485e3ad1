"""`import requests` where a program runs: the SDK's own part of it. What it does in a guest, the probes say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from agentos.sdk import Denied, LimitExceeded, requests
from agentos.sdk.requests import retries
from agentos.sdk.testing import Grant, Kit, Reply

A = "https://a.example"


def web(answers: dict[str, Any]) -> Kit:
    return Kit(web=answers, grants=[Grant("net.fetch", host="a.example", method=["GET", "POST"], received=2_000_000)])


def test_a_program_that_imports_it_is_tried_as_it_runs(tmp_path: Path) -> None:
    program = tmp_path / "owls.py"
    program.write_text(
        "import requests\nfrom requests.exceptions import HTTPError\n"
        f"try: requests.get('{A}/gone').raise_for_status()\nexcept HTTPError as e: print(e)\n"
        f"result = requests.get('{A}/owls').json()\n"
    )
    before = sys.modules.get("requests")
    run = web({f"{A}/owls": ["Ada"], f"{A}/gone": Reply(status=410)}).run(program)
    assert (run.result, run.output) == (["Ada"], f"410 Gone for GET {A}/gone\n")
    assert sys.modules.get("requests") is before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"verify": False}, "certificates are always checked"),
        ({"verify": "/my/ca.pem"}, "certificates are always checked"),
        ({"cert": "/my/cert.pem"}, "brings no certificates"),
        ({"proxies": {"https": "http://evil.example"}}, "sets no proxy"),
    ],
)
def test_nothing_loosens_how_a_host_is_reached(options: dict[str, Any], why: str) -> None:
    kit = web({f"{A}/": "x"})
    with kit:
        for ask in (requests.get, requests.Session().get):
            with pytest.raises(requests.ConnectionError, match=why) as caught:
                ask(f"{A}/", **options)
            assert Denied in caught.type.__mro__
        session = requests.Session()
        ((name, value),) = options.items()
        setattr(session, name, value)
        with pytest.raises(requests.ConnectionError, match=why):
            session.get(f"{A}/")
        assert requests.get(f"{A}/", verify=True, proxies={}).ok
    assert len(kit.calls) == 1


def test_a_body_that_was_cut_off_says_so_in_its_own_words() -> None:
    with web({f"{A}/": bytes(3_000_000)}):
        with pytest.raises(requests.RequestException) as caught:
            requests.get(f"{A}/")
        with pytest.raises(requests.RequestException), requests.get(f"{A}/", stream=True) as stream:
            sum(map(len, stream.iter_content(8192)))
    assert LimitExceeded in caught.type.__mro__


def test_fewer_redirects_may_be_asked_for_and_never_more() -> None:
    kit = web({f"{A}/": Reply(status=302, headers={"Location": "/"})})
    with kit:
        for most, calls in ((2, 3), (99, 11)):
            session = requests.Session()
            session.max_redirects = most
            kit.calls.clear()
            with pytest.raises(requests.TooManyRedirects):
                session.get(f"{A}/")
            assert len(kit.calls) == calls


def test_a_cookie_of_no_host_is_for_the_first_that_is_asked() -> None:
    kit = Kit(
        web={f"{A}/": "x", "https://b.example/": "x"}, grants=[Grant("net.fetch", host=["a.example", "b.example"])]
    )
    with kit:
        session = requests.Session()
        session.cookies.update({"s": "1"})
        session.cookies["t"] = "2"
        session.get(f"{A}/")
        session.get("https://b.example/")
        requests.get("https://b.example/", cookies=session.cookies)
    assert [seen.headers.get("Cookie") for seen in kit.web.seen] == ["s=1; t=2", None, None]


@pytest.mark.parametrize(
    ("after", "slept"),
    [("", [0, 1000, 2000]), ("3", [3000] * 3), ("Thu, 01 Jan 2026 12:00:05 GMT", [5000]), ("soon", [0, 0])],
)
def test_it_tries_again_after_a_pause(after: str, slept: list[int]) -> None:
    headers = {"Retry-After": after} if after else {}
    kit = web({f"{A}/": Reply(status=503, headers=headers)})
    with kit:
        session = requests.Session()
        retry = retries.Retry(total=len(slept), backoff_factor=0.5 if not after else 0, status_forcelist=(503,))
        session.mount(A, retries.HTTPAdapter(max_retries=retry))
        with pytest.raises(requests.exceptions.RetryError):
            session.get(f"{A}/")
    made = [call.args["ms"] for call in kit.calls if call.action == "clock.sleep"]
    assert made == [ms for ms in slept if ms]
    assert sum(call.action == "net.fetch" for call in kit.calls) == len(slept) + 1


def test_credentials_stay_with_their_origin() -> None:
    kit = Kit(
        web={f"{A}/": Reply(status=302, headers={"Location": "https://b.example/"}), "https://b.example/": "x"},
        grants=[Grant("net.fetch", host=["a.example", "b.example"])],
    )
    with kit:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer token"
        session.get(f"{A}/")
    assert [seen.headers.get("Authorization") for seen in kit.web.seen] == ["Bearer token", None]
