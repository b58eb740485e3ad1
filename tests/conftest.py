"""How long properties are tried. `make fuzz` takes the profile `long`, and says the seed it began with.

And what makes all of it quicker: nothing is compiled twice, what is slow comes first, and nobody looks for garbage in
what stays.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests import compiled

# How long an input takes says how busy the machine is: what hangs meets the time limit of its test.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
settings.register_profile(
    "long",
    max_examples=int(os.environ.get("AGENTOS_EXAMPLES", "20000")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
# For `make mutate`: the same inputs each time, and no search for the smallest that fails.
settings.register_profile(
    "mutants", derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate), max_examples=60
)
# For `make sabotage`: as many inputs as ever, the same each time, and no search for the smallest that fails.
settings.register_profile(
    "sabotage", derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
)

# Where an environment forbids it, as those of containers do, each process of the tests would compile us anew.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow comes first, else one worker still has it when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


# Some thousand tests are collected and stay to the end: neither then nor later need they be looked through for garbage.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _folders_of_the_tests(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """Homes that tests make keep their heads away from the person's own, and share what was compiled for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTOS_STATE", str(tmp_path_factory.mktemp("state")))
        # A copy of the tree in which a check was taken out has no cache of pytest's, and keeps its own.
        cache = getattr(pytestconfig, "cache", None)
        folder = cache.mkdir("guest-images") if cache else tmp_path_factory.getbasetemp().parent / "guest-images"
        folder.mkdir(mode=0o700, exist_ok=True)
        patch.setenv(compiled.FOLDER, str(folder))
        yield
