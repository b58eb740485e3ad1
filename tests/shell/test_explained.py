"""What `agentos explain` says of programs that use the network and secrets, word for word. The programs are those of
tests/golden, and what is said of each stands beside them in tests/golden/explained; it is read by eye."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.conftest import Shell

GOLDEN = Path(__file__).parents[1] / "golden"
EXPLAINED = sorted((GOLDEN / "explained").glob("*.txt"))


@pytest.fixture(scope="module", autouse=True)
def _github(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the secrets that the programs name, github is set and jira is not."""
    from tests.shell.conftest import environment

    shell = Shell(tmp_path_factory.mktemp("github"), environment(served))
    assert shell("secrets", "set", "github", "-", "--for", "api.github.com", typed="ghp_0123456789\n").code == 0
    yield
    assert shell("secrets", "remove", "github").code == 0


@pytest.mark.parametrize("expected", EXPLAINED, ids=lambda path: path.stem)
def test_explain_says_word_for_word(shell: Shell, expected: Path) -> None:
    program = shell.folder / f"{expected.stem}.py"
    program.write_bytes((GOLDEN / program.name).read_bytes())
    said = shell("explain", program.name)
    assert said.out == expected.read_text(), said.err


@pytest.mark.parametrize("case", ["method_lower", "net_host_with_port", "net_network", "secret_name"])
def test_explain_and_run_refuse_a_manifest_at_its_line(shell: Shell, case: str) -> None:
    program = shell.folder / f"{case}.py"
    program.write_bytes((GOLDEN / program.name).read_bytes())
    place, reason = (GOLDEN / f"{case}.error").read_text().splitlines()[0].split(": ", 1)
    for command in ("explain", "run"):
        said = shell(command, program.name)
        assert (said.code, said.out) == (2, "")
        assert f"{program.name}:{place.rpartition(':')[2]}: {reason}" in said.err


def test_each_of_them_is_a_program_of_the_golden_ones() -> None:
    assert len(EXPLAINED) >= 4
    assert all((GOLDEN / f"{path.stem}.json").exists() for path in EXPLAINED)
