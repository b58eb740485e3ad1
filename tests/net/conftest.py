"""One real kernel with a small internet of its own for all tests here; nothing of it leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.kernel.person import Person, Up, kernel_on, warm_home
from tests.net.program import Guest
from tests.net.world import Names, Server, certified, closing


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who signs certificates in this internet, and is trusted by AGENTOS_NET_CA."""
    return trustme.CA()


@pytest.fixture(scope="session")
def names() -> Iterator[Names]:
    served = Names()
    with closing(served):
        yield served


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, names: Names, authority: trustme.CA) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("net")
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    settings = {"AGENTOS_NET_RESOLVER": names.where, "AGENTOS_NET_CA": str(place / "ca.pem")}
    with kernel_on(warm_home(place), place / "log", **proxies, **settings) as served:
        yield served


@pytest.fixture
def server(names: Names) -> Iterator[Server]:
    """A plain server, reached as server.test."""
    served = Server()
    names.known["server.test"] = ["127.0.0.1"]
    with closing(served):
        yield served


@pytest.fixture
def secure(names: Names, authority: trustme.CA) -> Iterator[Server]:
    """A server of https, reached as secure.test."""
    served = Server(certified(authority, "secure.test"))
    names.known["secure.test"] = ["127.0.0.1"]
    with closing(served):
        yield served


@pytest.fixture
def person(up: Up, tmp_path: Path) -> Iterator[Person]:
    made = Person(up.socket, up.credential, tmp_path.resolve())
    yield made
    made.close()


@pytest.fixture
def guest(person: Person) -> Guest:
    return Guest(person)
