"""What `agentos explain` says of programs that use the network and secrets, word for word. The programs are those of
tests/golden, and what is said of each stands beside them in tests/golden/explained; it is read by eye."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agentos.home import home as opening
from tests.repository.source import ROOT
from tests.shell.conftest import SECONDS, Shell, until

GOLDEN = Path(__file__).parents[1] / "golden"
# Longer than a command takes to meet a home that is held, and to give up on it.
WAITS_S = 5.0
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


def test_explain_says_the_same_where_there_is_no_home_and_makes_none(homeless: Shell, shell: Shell) -> None:
    for each in EXPLAINED:
        (homeless.folder / f"{each.stem}.py").write_bytes((GOLDEN / f"{each.stem}.py").read_bytes())
    for name in (each.stem for each in EXPLAINED if "secret" not in each.read_text()):
        said = homeless("explain", f"{name}.py")
        assert (said.code, said.out) == (0, shell("explain", f"{name}.py").out), said.err
    assert not Path(homeless.environment["AGENTOS_HOME"]).exists()


@pytest.mark.slow
def test_explain_says_the_same_where_nobody_serves_the_home_and_starts_no_kernel(homeless: Shell) -> None:
    """How each line stands, which secrets are set, and what an added capability can do: all of that is in the home."""
    home, program = Path(homeless.environment["AGENTOS_HOME"]), homeless.folder / "net_secrets.py"
    shelf = homeless.write("today.py", "pass", grants='"shelf.get" = { name = ["today"] }')
    program.write_bytes((GOLDEN / program.name).read_bytes())
    homeless.made()
    assert homeless("up", "--detach").code == 0
    assert homeless("secrets", "set", "github", "-", "--for", "api.github.com", typed="ghp_0123456789\n").code == 0
    assert homeless("capabilities", "add", str(ROOT / "docs" / "capability")).code == 0
    assert homeless("run", program.name, "--grant", "manifest").code in (0, 1)
    program.write_text(program.read_text() + "\n# another version\n")
    served = [homeless(*said) for said in (("explain", program.name), ("explain", program.name, "--json"))]
    served.append(homeless("explain", shelf))
    assert homeless("down").code == 0
    shutil.rmtree(home / "cache" / "images")
    alone = [homeless(*said) for said in (("explain", program.name), ("explain", program.name, "--json"))]
    alone.append(homeless("explain", shelf))
    assert [(each.code, each.out) for each in alone] == [(0, each.out) for each in served], alone[-1].err
    assert "as before" in served[0].out
    assert not any((home / "cache" / "images").iterdir()), "what a kernel runs was not prepared"


@pytest.mark.slow
@pytest.mark.parametrize("words", [("ps",), ("up", "--detach"), ("explain", "program.py")], ids=lambda words: words[0])
def test_who_comes_while_a_home_is_only_read_waits_and_has_it_then(homeless: Shell, words: tuple[str, ...]) -> None:
    homeless.made()
    homeless.write("program.py", "pass")
    held = opening.hold(Path(homeless.environment["AGENTOS_HOME"]))
    coming = subprocess.Popen(
        homeless.command(*words), cwd=homeless.folder, env=homeless.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with pytest.raises(subprocess.TimeoutExpired):  # it met the home, and did not leave
            coming.wait(WAITS_S)
    finally:
        held.close()
    _, said = coming.communicate(timeout=SECONDS)
    assert coming.returncode == 0, said
    if words[0] == "up":
        assert homeless("down").code == 0


@pytest.mark.slow
def test_up_says_that_a_kernel_is_up_which_was_starting_when_it_came(homeless: Shell) -> None:
    homeless.made()
    both = [
        subprocess.Popen(
            homeless.command("up", "--detach"), cwd=homeless.folder, env=homeless.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = {each.returncode: err for each, err in [(each, each.communicate(timeout=SECONDS)[1]) for each in both]}
    assert said.keys() == {0, 5}
    assert "a kernel is up already" in said[5]
    assert homeless("down").code == 0


@pytest.mark.slow
def test_up_waits_for_a_kernel_that_is_there_for_one_command_alone(homeless: Shell) -> None:
    homeless.made()
    program = homeless.write("asks.py", "print('here', flush=True)", "print(input())")
    running = subprocess.Popen(
        homeless.command("run", program), cwd=homeless.folder, env=homeless.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout
    assert running.stdout.readline() == "here\n"
    coming = subprocess.Popen(
        homeless.command("up", "--detach"), cwd=homeless.folder, env=homeless.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert coming.stderr
    assert "for another command" in coming.stderr.readline()
    assert running.communicate("go on\n", timeout=SECONDS)[0] == "go on\n"
    coming.communicate(timeout=SECONDS)
    assert coming.returncode == 0
    assert homeless("ps").code == 0
    assert homeless("down").code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="of other systems a process's limits are not read")
def test_nobody_looks_into_the_memory_of_who_reads_a_home_before_there_is_a_secret_in_it(homeless: Shell) -> None:
    homeless.made()
    command = [sys.executable, "-m", "agentos.locked.explained", "explain", "--request-fd", "0"]
    command += ["--home", homeless.environment["AGENTOS_HOME"]]
    read, given = os.pipe()
    reader = subprocess.Popen(
        [*command, "--secret-fd", str(read)], env=homeless.environment, pass_fds=(read,),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(read)
    try:
        # What forbids a core forbids others to look, in the same breath.
        until(lambda: psutil.Process(reader.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0), "it waits for its secret first")
    finally:
        os.close(given)
        reader.wait(SECONDS)


def test_what_keeps_a_home_from_being_read_is_said_by_explain(homeless: Shell) -> None:
    program = homeless.write("program.py", "pass")
    homeless.environment["AGENTOS_PASSPHRASE"] = "correct horse battery"
    assert homeless("init", "--passphrase").code == 0
    assert homeless("explain", program).code == 0
    homeless.environment["AGENTOS_PASSPHRASE"] = "another one"
    said = homeless("explain", program)
    assert (said.code, said.out) == (5, "")
    assert "passphrase" in said.err


def test_what_is_no_program_is_refused_where_there_is_no_home(homeless: Shell) -> None:
    case = "net_network"
    (homeless.folder / f"{case}.py").write_bytes((GOLDEN / f"{case}.py").read_bytes())
    said = homeless("explain", f"{case}.py")
    place, reason = (GOLDEN / f"{case}.error").read_text().splitlines()[0].split(": ", 1)
    assert (said.code, said.out) == (2, "")
    assert f"{case}.py:{place.rpartition(':')[2]}: {reason}" in said.err


def test_each_of_them_is_a_program_of_the_golden_ones() -> None:
    assert len(EXPLAINED) >= 4
    assert all((GOLDEN / f"{path.stem}.json").exists() for path in EXPLAINED)
