"""Ordinary scripts on the network: urllib, requests, http.client and the SDK, through a kernel, to loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.kernel.person import Person, Told

BIG = bytes(range(256)) * 12_288
OWLS = [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}]


Page = tuple[int, str, bytes, list[tuple[str, str]]]


def goes(to: str, status: int = 302) -> Page:
    return status, "text/plain", b"", [("Location", to)]


class Host(BaseHTTPRequestHandler):
    """What a test asks. `away` is the port of another host, which no program here was granted."""

    protocol_version = "HTTP/1.1"
    away = 0
    hanging = threading.Event()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/hangs":
            self.hanging.wait(60)
        elif path == "/lines":
            self._lines()
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            self._say(*self._page(path))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = {"body": body.decode("latin-1"), "type": self.headers["Content-Type"], "path": self.path}
        self._say(200, "application/json", json.dumps(said).encode(), [])

    def _page(self, path: str) -> Page:
        cookie = self.headers["Cookie"] or ""
        csv = "name,age\nAda,36\nEulalia Käuzchen,2\n".encode("latin-1")
        login = [("Set-Cookie", "s=1; HttpOnly; Path=/"), ("Set-Cookie", "t=2; Path=/deep")]
        pages: dict[str, Page] = {
            "/owls": (200, "application/json", json.dumps(OWLS).encode(), []),
            "/owls.csv": (200, "text/csv; charset=iso-8859-1", csv, []),
            "/login": (200, "text/plain", b"in", login),
            "/me": (200 if "s=1" in cookie else 401, "text/plain", cookie.encode(), []),
            "/goes": goes("/owls"),
            "/away": goes(f"http://127.0.0.1:{self.away}/", 307),
            "/loop": goes("/loop"),
            "/big": (200, "application/octet-stream", BIG, []),
            "/broken": (200, "application/json", b'{"name": ', []),
        }
        return pages.get(path, (404, "text/plain", b"no such owl", []))

    def _say(self, status: int, kind: str, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _lines(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(3):
            line = f"data: {number}\r\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  (its name in the library)


@contextmanager
def serving(host: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), host) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    class Other(Host): ...

    class Here(Host): ...

    with serving(Other) as away, serving(Here) as here:
        Here.away = away
        yield here
        Host.hanging.set()


def line(port: int, more: str = "") -> str:
    """A line of a manifest for the host on this port."""
    return (
        f'"net.fetch" = {{ host = ["127.0.0.1"], scheme = ["http"], port = ["{port}"], network = "loopback", '
        f'method = ["GET", "HEAD", "POST"]{more} }}'
    )


def run(person: Person, port: int, source: str, more: str = "", grants: str = "") -> Told:
    """A script that says HOST for where the host is."""
    return person.run(source.replace("HOST", f"http://127.0.0.1:{port}"), f"{line(port, more)}\n{grants}")


def test_a_script_with_urllib_json_and_csv_runs_as_it_is(person: Person, port: int) -> None:
    source = """
import csv, io, json, urllib.parse, urllib.request

with urllib.request.urlopen("HOST/owls?" + urllib.parse.urlencode({"kind": "barn owl"}), timeout=10) as answer:
    owls = json.load(answer)
answer = urllib.request.urlopen("HOST/owls.csv")
owls += csv.DictReader(io.StringIO(answer.read().decode(answer.headers.get_content_charset())))
with open("owls.csv", "w", newline="") as out:
    table = csv.DictWriter(out, ["name", "age"])
    table.writeheader()
    table.writerows(owls)
urllib.request.urlretrieve("HOST/big", "big.bin")
print(len(owls), "owls")
"""
    told = run(person, port, source, grants='"files.write" = { path = ["*.csv", "*.bin"] }')
    assert (told.status, told.output) == ("done", "4 owls\n"), told.ended.error
    assert (person.folder / "owls.csv").read_text() == "name,age\nAda,36\nAlan,41\nAda,36\nEulalia Käuzchen,2\n"
    assert (person.folder / "big.bin").read_bytes() == BIG


def test_a_script_with_requests_runs_as_it_is(person: Person, port: int) -> None:
    source = """
import requests

answer = requests.get("HOST/owls", params={"kind": "barn"}, headers={"Accept": "application/json"}, timeout=10)
answer.raise_for_status()
sent = requests.post("HOST/new", json={"name": "Grace"}).json()
try:
    requests.get("HOST/none").raise_for_status()
except requests.HTTPError as error:
    missing = error.response.status_code
with requests.get("HOST/big", stream=True) as big:
    size = sum(len(piece) for piece in big.iter_content(chunk_size=8192))
try:
    requests.get("HOST/broken").json()
except requests.exceptions.JSONDecodeError as error:
    broken = error.pos
head = requests.head("HOST/owls")
result = [answer.json(), sent, missing, size, broken, [head.status_code, head.text]]
"""
    told = run(person, port, source)
    sent = {"body": '{"name": "Grace"}', "type": "application/json", "path": "/new"}
    assert told.result == [OWLS, sent, 404, len(BIG), 9, [200, ""]]


def test_a_script_with_http_client_runs_as_it_is(person: Person, port: int) -> None:
    source = """
import http.client, json

connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
connection.request("GET", "/owls")
answer = connection.getresponse()
first = [answer.status, answer.reason, json.loads(answer.read())]
connection.request("POST", "/new", body=iter([b"a", b"b"]), headers={"Content-Type": "text/plain"})
second = json.load(connection.getresponse())
connection.request("GET", "/big")
answer = connection.getresponse()
size = 0
while piece := answer.read(100_000):
    size += len(piece)
result = [first, second, size]
"""
    told = run(person, port, source.replace("PORT", str(port)))
    assert told.result == [[200, "OK", OWLS], {"body": "ab", "type": "text/plain", "path": "/new"}, len(BIG)]


def test_a_session_keeps_its_cookies_to_where_they_are_for(person: Person, port: int) -> None:
    source = """
from agentos.sdk import net
import requests, urllib.request

session = net.Session()
before = session.get("HOST/me").status
session.get("HOST/login")
other = requests.Session()
other.get("HOST/login")
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
opener.open("HOST/login")
result = [before, session.get("HOST/me").text, other.get("HOST/me").text, opener.open("HOST/me").read().decode()]
"""
    assert run(person, port, source).result == [401, "s=1", "s=1", "s=1"]


REDIRECTS = """
import requests, urllib.error, urllib.request
from agentos.sdk import AgentError, net

def tried(*ways):
    for way in ways:
        try:
            yield str(way())
        except Exception as error:
            yield [kind.__name__ for kind in type(error).__mro__ if kind.__module__ != "builtins"][0]

ways = lambda path: (
    lambda: net.get("HOST" + path).url, lambda: requests.get("HOST" + path).url,
    lambda: urllib.request.urlopen("HOST" + path).geturl(),
)
result = {path: list(tried(*ways(path))) for path in ("/goes", "/away", "/loop")}
result["as it is"] = net.get("HOST/away", allow_redirects=False).headers["Location"]
"""


def test_each_redirect_is_decided_on(person: Person, port: int) -> None:
    told = run(person, port, REDIRECTS)
    result = told.result
    assert isinstance(result, dict)
    assert result["/goes"] == [f"http://127.0.0.1:{port}/owls"] * 3
    assert result["/away"] == ["Denied", "ConnectionError", "URLError"]
    assert result["/loop"] == ["LimitExceeded", "TooManyRedirects", "HTTPError"]
    assert result["as it is"].startswith("http://127.0.0.1:")
    assert [call.action for call in told.refused] == ["net.fetch"] * 3
    assert all(result["as it is"] in call.summary for call in told.refused)


def test_a_refusal_that_nobody_catches_ends_the_run_as_refused_with_the_line(person: Person, port: int) -> None:
    ways = (
        "from agentos.sdk import net\nnet.get('https://evil.example/x')",
        "import requests\nrequests.get('https://evil.example/x')",
        "import urllib.request\nurllib.request.urlopen('https://evil.example/x')",
        "import http.client as h\nc = h.HTTPSConnection('evil.example')\nc.request('GET', '/x')\nc.getresponse()",
    )
    for source in ways:
        told = run(person, port, source)
        assert told.status == "refused", (source, told.ended.traceback)
        assert '"net.fetch" = { host = ["evil.example"] }' in told.ended.error.hint


def test_what_comes_slowly_is_read_as_it_comes(person: Person, port: int) -> None:
    source = """
import urllib.request
from agentos.sdk import net

with net.get("HOST/lines", stream=True) as answer:
    first = list(answer.iter_lines(decode_unicode=True))
request = urllib.request.Request("HOST/lines", headers={"Accept": "text/event-stream"})
result = [first, [line.decode() for line in urllib.request.urlopen(request)]]
"""
    lines = ["data: 0", "data: 1", "data: 2"]
    assert run(person, port, source).result == [lines, [f"{line}\r\n" for line in lines]]


def test_what_goes_wrong_on_the_way_is_caught_by_the_name_it_has(person: Person, port: int) -> None:
    source = """
import http.client, requests, urllib.error, urllib.request
from agentos.sdk import LimitExceeded, Unavailable, net

def names(act):
    try:
        act()
    except Exception as error:
        kinds = Unavailable, requests.RequestException, requests.Timeout, urllib.error.URLError, OSError, TimeoutError
        return [kind.__name__ for kind in kinds if isinstance(error, kind)]

result = [
    names(lambda: net.get("HOST/hangs", timeout=0.2)),
    names(lambda: requests.get("HOST/hangs", timeout=0.2)),
    names(lambda: urllib.request.urlopen("HOST/hangs", timeout=0.2)),
    names(lambda: requests.get("http://127.0.0.1:1/")),
    names(lambda: net.get("HOST/cut").content),
    names(lambda: requests.get("HOST/cut").content),
]
"""
    told = run(person, port, source)
    assert told.result == [
        ["Unavailable", "OSError"],
        ["Unavailable", "RequestException", "Timeout", "OSError"],
        ["Unavailable", "URLError", "OSError", "TimeoutError"],
        ["RequestException", "OSError"],
        ["Unavailable", "OSError"],
        ["Unavailable", "RequestException", "OSError"],
    ]


def test_a_body_beyond_its_limit_is_never_taken_for_the_whole(person: Person, port: int) -> None:
    source = """
import requests, urllib.request
from agentos.sdk import LimitExceeded, net

def cut(act):
    try:
        return len(act())
    except LimitExceeded as error:
        return error.detail

stream, got = net.get("HOST/big", stream=True), 0
def on():
    global got
    for piece in stream.iter_content(100_000):
        got += len(piece)
result = [
    cut(lambda: net.get("HOST/big").content), cut(lambda: requests.get("HOST/big").content),
    cut(lambda: urllib.request.urlopen("HOST/big").read()), cut(on), got,
]
"""
    assert run(person, port, source, ', received = "2MiB"').result == ["too_large"] * 4 + [2 << 20]
