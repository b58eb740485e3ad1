"""A program in a cell that fetches what it is told to, and tells what came of it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kernel.person import Person, Told
from tests.net.world import Server

SOURCE = """
from agentos.sdk import AgentError, call

def attempt(step):
    try:
        return call(*step)
    except AgentError as refused:
        return {"code": refused.code, "reason": refused.reason, "hint": refused.hint, "detail": refused.detail}

def main(input):
    return [attempt(step) for step in input]
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one call: its reply, or its error."""

    said: Mapping[str, Any]

    @property
    def error(self) -> str:
        """Code and detail: "unavailable tls"; empty if it went well."""
        return f"{self.said['code']} {self.said['detail']}".strip() if "code" in self.said else ""

    @property
    def status(self) -> int:
        assert not self.error, self.said
        return int(self.said["status"])

    @property
    def body(self) -> bytes:
        assert not self.error, self.said
        return b64decode(self.said.get("body", ""))

    @property
    def headers(self) -> dict[str, str]:
        return {each["name"].lower(): each["value"] for each in self.said.get("headers", ())}


class Guest:
    """`calls` makes calls of one run of such a program under one manifest."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.told = Told()

    def calls(self, grants: str, *steps: tuple[str, Mapping[str, Any]]) -> list[Outcome]:
        self.told = self.person.run(SOURCE, grants, input=json.dumps(steps))
        result = self.told.result
        assert isinstance(result, list)
        return [Outcome(each) for each in result]

    def fetch(self, grants: str, *asked: Mapping[str, Any]) -> list[Outcome]:
        return self.calls(grants, *(("net.fetch", each) for each in asked))


def grant(*servers: Server, hosts: str = '["server.test"]', scheme: str = "http", **more: str) -> str:
    """A line of net.fetch for these servers on loopback. `more` is TOML by bound."""
    ports = json.dumps([server.port for server in servers] or ["443"])
    bounds = {"host": hosts, "scheme": f'"{scheme}"', "port": ports, "network": '"loopback"'} | more
    return f'"net.fetch" = {{ {", ".join(f"{name} = {value}" for name, value in bounds.items())} }}'


def at(server: Server, path: str = "/", host: str = "server.test", scheme: str = "http", **more: Any) -> dict[str, Any]:
    """The arguments of a GET there."""
    return {"method": "GET", "scheme": scheme, "host": host, "port": server.port, "path": path} | more
