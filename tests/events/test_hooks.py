"""What strangers send to a hook: taken in when they know its URL, and answered once it is on disk."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agentos.capabilities.actions import Boot
from agentos.capabilities.hook import limits
from agentos.capabilities.hook.server import COUNTED_EVERY_S, Hooks
from agentos.v1 import capability_pb2 as pb
from tests.events.conftest import APPEND, TELLS, Armer, killed
from tests.kernel.person import ONCE, Person, Up, eventually, kernel_on, warm_home
from tests.kernel.test_statistics import sample
from tests.shell.conftest import Shell, environment

HOOK = '{ event = "hook.received", headers = ["X-Kind"], id = "X-Delivery" }'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


PORT = free_port()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("hooks")
    with kernel_on(warm_home(place), place / "log", AGENTOS_HOOK_PORT=str(PORT)) as served:
        yield served


class Hook:
    """Who was given the URL of a hook."""

    def __init__(self, url: str) -> None:
        assert url.startswith("http://127.0.0.1:")
        self.port, _, self.path = url.removeprefix("http://127.0.0.1:").partition("/")
        self.path = f"/{self.path}"

    def send(self, body: bytes = b"", path: str = "", method: str = "POST", **headers: str) -> http.client.HTTPResponse:
        talk = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(talk):
            talk.request(method, path or self.path, body, named)
            answer = talk.getresponse()
            answer.read()
            return answer

    def status(self, body: bytes = b"", path: str = "", method: str = "POST", **headers: str) -> int:
        return self.send(body, path, method, **headers).status

    def raw(self, sent: bytes) -> bytes:
        """What comes back to these very bytes."""
        with socket.create_connection(("127.0.0.1", int(self.port)), timeout=30) as line:
            line.sendall(sent)
            heard = b""
            while portion := line.recv(65_536):
                heard += portion
            return heard


def hooked(armer: Armer, on: str = HOOK, content: str = TELLS, grants: str = APPEND) -> Hook:
    """A program that is armed with one hook, once that listens."""
    armer.arm(on, content, grants)
    hook = Hook(armer.armed().triggers[0].url)
    assert eventually(lambda: listens(hook))
    return hook


def listens(hook: Hook) -> bool:
    """A wrong secret is asked for, so that nothing happens."""
    try:
        return hook.status(path="/t0/wrong") == 404
    except OSError:
        return False


def test_what_is_sent_to_its_url_starts_the_program(armer: Armer) -> None:
    hook = hooked(armer)
    answer = hook.send(b'{"n": 1}', X_Kind="push", X_Delivery="a-1", Content_Type="application/json", Cookie="c=1")
    assert answer.status == 202
    [told] = map(json.loads, armer.saw(1))
    assert told["event"] == "hook.received"
    headers = {"content-type": "application/json", "x-kind": "push"}
    assert told["data"] == {"method": "POST", "headers": headers, "text": '{"n": 1}'}
    armer.disarm()


def test_what_is_no_text_comes_as_base64(armer: Armer) -> None:
    hook = hooked(armer)
    assert hook.status(b"\xff\x00\xfe") == 202
    assert base64.b64decode(json.loads(armer.saw(1)[0])["data"]["base64"]) == b"\xff\x00\xfe"
    # As text it would be six times as large, and more than an event may be.
    assert hook.status(b"\x01" * limits.BODY_BYTES) == 202
    assert len(base64.b64decode(json.loads(armer.saw(2)[1])["data"]["base64"])) == limits.BODY_BYTES
    armer.disarm()


def test_what_is_sent_twice_under_one_id_is_one_event(armer: Armer) -> None:
    hook = hooked(armer)
    assert [hook.status(X_Delivery="one") for _ in range(3)] == [202, 202, 202]
    assert hook.status(X_Delivery="two") == 202
    armer.saw(2)
    assert eventually(lambda: not armer.armed().waiting and not armer.armed().runs)
    assert len(armer.seen()) == 2
    armer.disarm()


def test_what_a_stranger_sent_was_read_from_outside_and_a_question_says_so(armer: Armer) -> None:
    page = base64.b64encode(b"<html><body><p>Do as I say, and be quick about it.</p></body></html>").decode()
    asks = f"""
from agentos.sdk import call
def main(input):
    call('pages.extract', {{'html': {page!r}}})
    open('b.log', 'a').write(input['data']['text'])
"""
    hook = hooked(armer, content=asks, grants='"files.write" = [{ path = ["b.log"], ask = "always" }]')
    assert hook.status(b"do as I say") == 202
    assert eventually(lambda: bool(armer.person.inbox()))
    [asked] = armer.person.inbox()
    assert asked.outside == ["hook.received", "pages.extract"]
    armer.person.answer(asked, ONCE(asked) or [])
    assert eventually((armer.person.folder / "b.log").exists)
    assert [call.after_outside for call in armer.person.calls(asked.run)] == [True, True]
    assert armer.person.record(asked.run).outside == ["hook.received", "pages.extract"]
    armer.disarm()


def test_an_unknown_url_and_a_wrong_secret_look_alike(armer: Armer) -> None:
    hook = hooked(armer)
    trigger = hook.path.split("/")[1]
    wrong = [f"/{trigger}/wrong", f"/t99999{hook.path[-44:]}", "/", f"{hook.path}x", f"{hook.path}?a=1", f"/{trigger}"]
    answers = [hook.send(path=path) for path in wrong]
    told = {(each.status, tuple(sorted(each.getheaders()))) for each in answers}
    assert len(told) == 1
    assert answers[0].status == 404
    assert not armer.seen()
    armer.disarm()


def test_who_is_turned_away_at_a_hook_is_counted(armer: Armer) -> None:
    hook = hooked(armer)

    def counted() -> int:
        return sample(armer.person).parts["watching"].counts["turned_away"]

    def still() -> bool:
        """Those that asked whether it listens are counted."""
        before = counted()
        time.sleep(2 * COUNTED_EVERY_S)
        return counted() == before

    assert eventually(still)
    before = counted()
    assert [hook.status(path="/t0/wrong"), hook.status(method="GET"), hook.status(b"x")] == [404, 405, 202]
    assert hook.raw(b"not http\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert eventually(lambda: counted() == before + 3)
    armer.disarm()


def test_a_secret_that_was_compared_says_nothing_of_how_much_was_right() -> None:
    """The one place where a secret is compared compares it in constant time, also where there is no such hook."""
    source = (Path(limits.__file__).parent / "server.py").read_text()
    assert source.count("hmac.compare_digest(") == 1
    assert ".secret ==" not in source


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example:4786"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://page.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_a_page_in_a_browser_reaches_no_hook(armer: Armer, headers: dict[str, str], status: int) -> None:
    """Not by a name that was rebound to this machine, and not as itself; and it learns nothing of a URL by trying."""
    hook = hooked(armer)
    known, unknown = (hook.send(b"", path, "POST", **headers).status for path in (hook.path, "/t0/wrong"))
    assert known == unknown == status
    assert not armer.seen()
    armer.disarm()


def test_only_a_post_is_taken(armer: Armer) -> None:
    hook = hooked(armer)
    for method in ("GET", "HEAD", "PUT", "OPTIONS"):
        answer = hook.send(method=method)
        assert (answer.status, answer.getheader("allow")) == (405, "POST")
    assert not armer.seen()
    armer.disarm()


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(armer: Armer) -> None:
    hook = hooked(armer)
    large = b"x" * (limits.BODY_BYTES + 1)
    assert hook.status(large) == 413
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    head = f"POST {hook.path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert hook.raw(head + chunked).startswith(b"HTTP/1.1 413 ")
    assert not armer.seen()
    armer.disarm()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nX: " + b"a" * (64 << 10), b"431"),
    ],
)
def test_what_is_no_http_is_answered_and_closed(armer: Armer, sent: bytes, status: bytes) -> None:
    hook = hooked(armer)
    assert hook.raw(sent).split()[1] == status
    assert hook.status() == 202
    armer.disarm()


def test_who_sends_too_much_is_told_to_wait_and_others_are_not(armer: Armer) -> None:
    armer.arm(f'"hook.received", {HOOK}')
    first, second = (Hook(each.url) for each in armer.armed().triggers)
    assert eventually(lambda: listens(first))
    answers = [first.send(X_Delivery="same", Idempotency_Key="same") for _ in range(limits.BURST + 40)]
    assert {each.status for each in answers} == {202, 429}
    assert next(each for each in answers if each.status == 429).getheader("retry-after") == "1"
    assert second.status() == 202
    armer.disarm()


def test_who_is_slow_is_cut_and_holds_up_nobody(armer: Armer) -> None:
    hook = hooked(armer)
    lines = [socket.create_connection(("127.0.0.1", PORT), timeout=60) for _ in range(limits.CONNECTIONS - 1)]
    for line in lines:
        line.sendall(b"POST / HTTP/1.1\r\n")
    assert hook.status() == 202
    more = [socket.create_connection(("127.0.0.1", PORT), timeout=60) for _ in range(3)]
    assert eventually(lambda: any(cut(each) for each in more))
    assert lines[0].recv(65_536).startswith(b"HTTP/1.1 408 ")
    for line in [*lines, *more]:
        line.close()
    assert eventually(lambda: hook.status() == 202)
    armer.disarm()


def cut(line: socket.socket) -> bool:
    """Whether the other side has hung up."""
    line.setblocking(False)
    try:
        return line.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


async def test_what_the_kernel_has_no_room_for_is_to_be_sent_again() -> None:
    """The server alone, in this process: a real kernel's queue takes 10,000 events to fill."""
    served = Hooks()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        served.boot = Boot("", b"", listener=listener.detach())
    await served.start()
    hook = Hook(f"http://127.0.0.1:{port}/t1/secret")
    before = await asyncio.to_thread(hook.send)  # nobody watches yet
    told = served.watch(pb.WatchRequest(wanted=[pb.Wanted(trigger="t1", event="received", secret="secret")]))
    hearing = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0)
    sending = asyncio.ensure_future(asyncio.to_thread(hook.send))
    event = await asyncio.wait_for(hearing, 10)
    served.acknowledged(event.id, pb.TAKEN_NO_ROOM)
    answer = await sending
    await served.close()
    assert [(each.status, each.getheader("retry-after")) for each in (before, answer)] == [(503, "1"), (503, "5")]


def test_what_was_answered_is_not_lost_with_the_kernel(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTOS_HOOK_PORT", str(free_port()))
    with killed(home, tmp_path) as (armer, kill):
        hook = hooked(armer)
        assert [hook.status(X_Delivery=str(number)) for number in range(5)] == [202] * 5
        kill()
    with killed(home, tmp_path) as (armer, _):
        assert Hook(armer.armed().triggers[0].url).path == hook.path
        armer.saw(5, 60)
        assert eventually(lambda: listens(hook))
        assert [hook.status(X_Delivery=str(number)) for number in range(6)] == [202] * 6
        armer.saw(6)
        assert eventually(lambda: not armer.armed().runs and not armer.armed().waiting)
        assert len({json.loads(line)["id"] for line in armer.seen()}) == len(armer.seen()) == 6
        armer.disarm()


def test_a_hook_server_that_dies_is_back_with_the_same_url(up: Up, armer: Armer) -> None:
    hook = hooked(armer)
    assert hook.status() == 202
    os.kill(server_of(up), 9)
    assert eventually(lambda: listens(hook))
    assert hook.status() == 202
    armer.saw(2)
    armer.disarm()


def server_of(up: Up) -> int:
    """The process that serves the hooks of this kernel: the child that has the socket that listens."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((each / "stat").read_text().rsplit(")", 1)[1].split()[1])
            ours = parent == up.pid and b"agentos.kernel.cells.confine" in (each / "cmdline").read_bytes()
            if ours and "socket:" in os.readlink(each / "fd" / "6"):
                return int(each.name)
        except OSError:
            continue
    raise AssertionError("nobody serves hooks")


def test_its_server_can_make_no_socket_and_reads_no_file(up: Up, armer: Armer) -> None:
    hooked(armer)
    status = dict(
        line.split(":\t", 1) for line in (Path("/proc") / str(server_of(up)) / "status").read_text().splitlines()
    )
    assert status["Seccomp"].strip() == "2"
    assert int(status["Seccomp_filters"]) >= 2
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    armer.disarm()


def test_a_hook_that_is_disarmed_or_off_is_gone_and_another_arming_has_another_url(armer: Armer) -> None:
    hook = hooked(armer)
    armer.switch(hook.path.split("/")[1], False)
    assert eventually(lambda: not answers(hook))  # nobody listens any more
    armer.arm(HOOK)  # the same version again: the same trigger, and still off
    assert Hook(armer.armed().triggers[0].url).path == hook.path
    assert not answers(hook)
    armer.switch(hook.path.split("/")[1], True)
    assert eventually(lambda: listens(hook))
    assert hook.status() == 202
    armer.disarm()
    assert hooked(armer).path != hook.path
    assert hook.status() == 404
    armer.disarm()


def test_a_port_that_is_taken_is_said_and_found_again_when_it_is_free(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("AGENTOS_HOOK_PORT", str(port))
        with killed(home, tmp_path) as (armer, _):
            armer.arm(HOOK)
            taken = f"port {port} is taken: set AGENTOS_HOOK_PORT to one that is free"
            assert eventually(lambda: armer.armed().triggers[0].trouble == taken)
            other.close()
            hook = Hook(armer.armed().triggers[0].url)
            assert eventually(lambda: listens(hook))
            assert not armer.armed().triggers[0].trouble
            armer.disarm()


def answers(hook: Hook) -> bool:
    try:
        return bool(hook.status())
    except ConnectionError:
        return False


def test_its_url_is_told_when_it_is_armed_and_by_triggers(up: Up, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    person = Person(up.socket, up.credential, folder)
    shell = Shell(folder, environment(up.home))
    request = Armer(person).program('"hook.received"')
    (folder / "armed.py").write_bytes(request.source.content)
    said = shell("arm", "armed.py", "--grant", "manifest")
    assert said.code == 0, said.err
    [shown] = [each for each in json.loads(shell("triggers", "--json").out) if each["path"] == request.source.path]
    url = shown["triggers"][0]["url"]
    assert url.startswith(f"http://127.0.0.1:{PORT}/")
    assert len(url.rsplit("/", 1)[1]) == 43
    assert url in said.out + said.err
    assert url in shell("triggers").out
    Armer(person).disarm()
    person.close()
