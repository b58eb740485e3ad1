"""One real kernel for all tests here: real home, real cells, real files server. Each test has a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos.manifest.rules import Catalog
from tests.authority.letters import shipped
from tests.kernel.gates import Gates, gates
from tests.kernel.person import Person, Up, kernel_on, warm_home
from tests.kernel.place import Place


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The capabilities that ship."""
    return shipped()


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("kernel")
    with kernel_on(warm_home(place), place / "log") as served:
        yield served


@pytest.fixture
def person(up: Up, tmp_path: Path) -> Iterator[Person]:
    """A person in an empty folder beside no home of the kernel's."""
    made = Person(up.socket, up.credential, tmp_path.resolve())
    yield made
    made.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the kernels of one file, which kills them."""
    return warm_home(tmp_path_factory.mktemp("home").resolve())


@pytest.fixture
def place(home: Path, tmp_path: Path) -> Place:
    return Place(home, tmp_path.resolve())


@pytest.fixture
def outside() -> Iterator[Gates]:
    """What a program reaches on loopback."""
    with gates() as made:
        yield made
