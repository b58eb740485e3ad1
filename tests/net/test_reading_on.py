"""Bodies that are larger than one reply: read on by a handle that is one run's own, and never kept for ever."""

from __future__ import annotations

import json
import socket
import threading

from tests.kernel.person import Person, eventually
from tests.net.program import Guest, at, grant
from tests.net.world import Asked, Server, answer, raw

MIB = 2**20
READS = """
from hashlib import sha256
from base64 import b64decode
from agentos.sdk import call
def main(input):
    found = call("net.fetch", input)
    digest, sizes, handle = sha256(), [], ""
    while True:
        piece = b64decode(found.get("body", found.get("data", "")))
        sizes.append(len(piece))
        digest.update(piece)
        handle = found.get("handle", "") or handle
        if found.get("end") or (len(sizes) == 1 and not found.get("handle")):
            return [digest.hexdigest(), sizes, found.get("cut", False)]
        found = call("net.read", {"handle": handle})
"""


def test_a_large_body_is_read_piece_by_piece(person: Person, server: Server) -> None:
    from hashlib import sha256

    body = bytes(range(256)) * 4096 * 5
    server.says["/"] = answer(body)
    told = person.run(READS, grant(server), input=json.dumps(at(server)))
    assert isinstance(told.result, list)
    digest, sizes, cut = told.result
    assert digest == sha256(body).hexdigest()
    assert (sizes[0], max(sizes), cut) == (MIB, MIB, False)
    streamed = person.run(READS, grant(server), input=json.dumps(at(server, stream=True)))
    assert isinstance(streamed.result, list)
    assert (streamed.result[0], streamed.result[1][0]) == (digest, 0)


def test_a_cut_is_told_at_the_end(person: Person, server: Server) -> None:
    server.says["/"] = answer(b"x" * 3 * MIB)
    told = person.run(READS, grant(server), input=json.dumps(at(server, most=2 * MIB)))
    assert isinstance(told.result, list)
    assert (sum(told.result[1]), told.result[2]) == (2 * MIB, True)


def test_an_answer_that_is_closed_is_gone(guest: Guest, server: Server) -> None:
    source = """
from agentos.sdk import AgentError, call
def main(input):
    handle = call("net.fetch", input)["handle"]
    call("net.close", {"handle": handle})
    call("net.close", {"handle": handle})
    try:
        call("net.read", {"handle": handle})
    except AgentError as refused:
        return [handle, f"{refused.code} {refused.detail}"]
"""
    server.says["/"] = answer(b"x" * 40 * MIB)
    told = guest.person.run(source, grant(server), input=json.dumps(at(server)))
    assert isinstance(told.result, list)
    assert told.result[1] == "not_found handle"
    assert len(told.result[0]) >= 32
    assert eventually(lambda: server.open == 0)


def test_the_handle_of_another_run_is_not_there(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(b"x" * 40 * MIB)
    (mine,) = guest.fetch(grant(server), at(server, stream=True))
    handle = mine.said["handle"]
    guessed = ("net.read", {"handle": handle[:-1] + "A"})
    theirs, closed, guess = guest.calls(
        grant(server), ("net.read", {"handle": handle}), ("net.close", {"handle": handle}), guessed
    )
    assert theirs.error == guess.error == "not_found handle"
    assert not closed.error
    assert server.open == 1, "and it was not closed by who had no right to it"


def test_open_answers_are_few_for_each_program(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(b"x" * 2 * MIB)
    told = guest.fetch(grant(server), *[at(server, stream=True)] * 18)
    assert [each.error for each in told[:16]] == [""] * 16
    assert [each.error for each in told[16:]] == ["limit handles"] * 2
    assert "close" in told[16].said["hint"]
    (another,) = Guest(_beside(guest.person)).fetch(grant(server), at(server, stream=True))
    assert not another.error, "another program has its own"


def _beside(person: Person) -> Person:
    folder = person.folder / "beside"
    folder.mkdir()
    return Person(person.socket, person.credential, folder)


def test_one_program_at_its_limit_leaves_the_others_theirs(guest: Guest, server: Server, person: Person) -> None:
    """A thousand requests that are never answered, and one of another program that is."""
    hold = threading.Event()

    def waits(line: socket.socket, asked: Asked) -> None:
        hold.wait(20)
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(line, asked)

    server.says["/"] = answer(b"quick")
    server.says["/never"] = waits
    greedy = """
from agentos.sdk import gather, net
def main(input):
    calls = [net.fetch.call("GET", "http", "server.test", port=input["port"], path="/never", timeout_ms=3000)] * 40
    return [getattr(each, "detail", "done") for each in gather(*calls)]
"""
    streams = [
        person.start(person.source(greedy, grant(server)), input=json.dumps(at(server)), grant_manifest=True, ask=1)
        for _ in range(4)
    ]
    for stream in streams:
        next(stream)
    assert eventually(lambda: server.open >= 24)
    (told,) = Guest(_beside(person)).fetch(grant(server), at(server))
    assert told.body == b"quick"
    assert server.connections <= 26
    hold.set()
    ended = [person.follow(stream) for stream in streams]
    words = [word for each in ended for word in (each.result if isinstance(each.result, list) else [])]
    assert "connections" in words or "rate" in words
