"""The kit in which programs are tried says what the real server says: one program, run by both, word for word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentos.sdk.testing import Kit, Reply, Web
from tests.kernel.person import Person
from tests.net.program import at, grant
from tests.net.world import Names, Server, answer

MIB = 2**20
LONG = bytes(range(256)) * 4096 * 2 + b"end"
LAST = "the handle of the last answer"
SOURCE = f"""
from hashlib import sha256
from agentos.sdk import AgentError, call

def main(input):
    told, handle = [], ""
    for action, args in input:
        if args.get("handle") == "{LAST}":
            args["handle"] = handle
        try:
            said = call(action, args)
        except AgentError as refused:
            said = {{"code": refused.code, "reason": refused.reason, "hint": refused.hint, "detail": refused.detail}}
        handle = said.get("handle") or handle
        for name in ("body", "data"):
            if name in said:
                said[name] = sha256(said[name].encode()).hexdigest()
        if "headers" in said:
            said["headers"] = sorted([each["name"].lower(), each["value"]] for each in said["headers"])
        told.append(said | ({{"handle": "one"}} if "handle" in said else {{}}))
    return told
"""
ANSWERS: dict[str, tuple[bytes, str]] = {
    "/": (b"short", "200 OK"),
    "/long": (LONG, "200 OK"),
    "/moved": (b"", "302 Found"),
    "/broken": (b"broken", "500 Internal Server Error"),
}
Step = tuple[str, dict[str, Any]]


def fetch(server: Server, path: str = "/", **more: Any) -> Step:
    return "net.fetch", at(server, path) | more


def head(server: Server, **more: Any) -> Step:
    return "net.head", at(server) | {"method": "HEAD"} | more


def read(**more: Any) -> Step:
    return "net.read", {"handle": LAST} | more


def bad(server: Server, name: str, value: str = "x") -> Step:
    return fetch(server, headers=[{"name": name, "value": value}])


def cases(server: Server) -> dict[str, list[Step]]:
    """What the program does in each case."""
    many = [{"name": f"X-{number}", "value": "x"} for number in range(65)]
    framing = ("Host", "Content-Length", "X-Forwarded-Host", "proxy_x", "X Y", "", "accept-encoding")
    elsewhere = ("10.0.0.1", "169.254.169.254", "fd00:ec2::254", "192.168.1.1", "64:ff9b::7f00:1")
    return {
        "answers": [
            *(fetch(server, path) for path in ("/", "/moved", "/broken", "/?x=1")),
            *(head(server), fetch(server, method="HEAD")),
        ],
        "a long body": [fetch(server, "/long"), read(length=MIB // 2), read(), read(), read()],
        "a stream": [fetch(server, "/long", stream=True), read(), read(), read(), fetch(server, stream=True), read()],
        "a body that is cut": [fetch(server, "/long", most=7), fetch(server, "/long", most=MIB + 1), read(), read()],
        "a body that just fits": [
            fetch(server, most=5),
            fetch(server, "/long", most=len(LONG)),
            read(),
            read(),
            read(),
        ],
        "an answer that was closed": [fetch(server, "/long"), *[("net.close", {"handle": LAST})] * 2, read()],
        "a handle that was never given": [
            ("net.read", {"handle": "x"}),
            ("net.close", {"handle": "x"}),
            ("net.read", {}),
        ],
        "too many answers that are open": [*[fetch(server, stream=True)] * 18, read(), fetch(server, stream=True)],
        "a host that is not there": [fetch(server, host="gone.test"), head(server, host="gone.test")],
        "a port where nobody is": [
            fetch(server, host=host, port="9") for host in ("server.test", "127.0.0.1", "localhost")
        ],
        "another network": [
            *(fetch(server, host=host) for host in elsewhere),
            fetch(server, host="10.0.0.1", method="POST"),
        ],
        "what was not granted": [
            *(fetch(server, host="evil.test"), fetch(server, method="DELETE"), fetch(server, scheme="https")),
            fetch(server, host="evil.test", path="/a*b?c"),
        ],
        "numbers below nothing": [
            *(fetch(server, most=-1), fetch(server, timeout_ms=-1), head(server, timeout_ms=-1), read(length=-1)),
        ],
        "methods that are none": [
            *(fetch(server, method=name) for name in ("get", "CONNECT", "FETCH", " ")),
            head(server, method="GET"),
        ],
        "what has two readings, or none": [
            *(fetch(server, host=host) for host in ("127.1", "2130706433", "fa\u00df.test", "a b", "[::1", "")),
            *(fetch(server, path=path) for path in ("/..", "/a#b", "x", "//x")),
            *(fetch(server, port=port) for port in ("x", "0", "99999")),
            fetch(server, scheme="ftp"),
        ],
        "what is for the manifest to say": [fetch(server, network="lan"), fetch(server, secret="github")],
        "headers that are not the program's": [
            *(bad(server, name) for name in framing),
            *(bad(server, "X", value) for value in ("a\r\nb", " a", "\u0436")),
        ],
        "headers that are too many": [fetch(server, headers=many), bad(server, "X", "x" * 40_000)],
    }


CASES = (
    "answers", "a long body", "a stream", "a body that is cut", "a body that just fits", "an answer that was closed",
    "a handle that was never given", "too many answers that are open", "a host that is not there",
    "a port where nobody is", "another network", "what was not granted", "numbers below nothing",
    "methods that are none", "what has two readings, or none", "what is for the manifest to say",
    "headers that are not the program's", "headers that are too many",
)  # fmt: skip
HOSTS = (
    '["server.test", "gone.test", "127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254",'
    ' "fd00:ec2::254", "64:ff9b::7f00:1"]'
)


@pytest.mark.parametrize("case", CASES)
def test_the_kit_says_what_the_real_server_says(
    case: str, person: Person, server: Server, names: Names, tmp_path: Path
) -> None:
    for path, (body, status) in ANSWERS.items():
        server.says[path] = answer(body, status, Content_Type="text/plain")
    line = grant(
        server,
        hosts=HOSTS,
        network='["public", "loopback"]',
        port=f'["{server.port}", "9"]',
        method='["GET", "HEAD", "POST"]',
    )
    known = cases(server)
    assert tuple(known) == CASES
    asked = known[case]
    program = tmp_path / "program.py"
    program.write_bytes(person.source(SOURCE, line).content)
    real = person.run(SOURCE, line, input=json.dumps(asked)).result
    kit = Kit.under_manifest(program, web=web(server.port), start=str(tmp_path), home=str(tmp_path))
    assert kit.run(program, input=json.loads(json.dumps(asked))).result == real


def web(port: str) -> Web:
    answers: Mapping[str, Reply] = {
        f"http://server.test:{port}{path}": Reply(body, int(status[:3]), {"Content-Type": "text/plain"})
        for path, (body, status) in ANSWERS.items()
    }
    return Web(answers)
