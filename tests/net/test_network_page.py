"""docs/network.md does what it says: its program runs, with the port of a server of the test and nothing else
changed.
"""

from __future__ import annotations

import re
from pathlib import Path

import trustme

from agentos.capabilities.net import limits
from tests.kernel.person import Person
from tests.net.world import Names, Server, answer, certified, closing

PAGE = (Path(__file__).parents[2] / "docs" / "network.md").read_text()


def test_its_program_fetches(person: Person, names: Names, authority: trustme.CA) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    server = Server(certified(authority, "api.example.com"))
    server.says["/owls"] = answer(b'[{"name": "Ada"}]', Content_Type="application/json")
    names.known["api.example.com"] = ["127.0.0.1"]
    here = program.replace('"api.example.com" }', f'"api.example.com", port = "{server.port}", network = "loopback" }}')
    with closing(server):
        told = person.run(here.replace("example.com/", f"example.com:{server.port}/"))
    assert told.output == "1 owls\n", told.ended.error


def test_its_numbers_are_those_in_force() -> None:
    assert f"up to {limits.RATIO} times" in PAGE
    assert f"{limits.BODY // limits.MIB} MiB of a body" in PAGE
    assert f"beyond {limits.PIECE // limits.MIB} MiB" in PAGE
