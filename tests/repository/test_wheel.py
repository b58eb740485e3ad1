"""The wheel alone is enough: it carries the guest, and works in an empty environment without this source."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import compiled
from tests.repository.source import ROOMS, ROOT, modules

pytestmark = pytest.mark.slow
# What the script that an installer writes to bin/agentos does.
COMMAND = "from importlib.metadata import entry_points as e; e(group='console_scripts')['agentos'].load()()"
PURE = "py3-none-any"
# What hatchling looks at: a copy of these is a copy of the project.
SOURCES = (*(room for room in ROOMS if "/" not in room), "proto", "dev")
PLAIN = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore")


def build(folder: Path, into: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert (ROOT / "guests/python/guest.wasm").exists(), "build it first: make guest"
    into = tmp_path_factory.mktemp("wheel")
    done = build(ROOT, into)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with the wheel in it, whose dependencies are those that these tests run with."""
    place = tmp_path_factory.mktemp("empty")
    venv.create(place, with_pip=False, symlinks=True)
    site = next(place.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    lend(site)
    yield place
    shutil.rmtree(place)


def lend(site: Path) -> None:
    """Every installed distribution but our own: its editable install would lead back to this source.

    Linked file by file, not folder by folder: a server's walls let through the environment it runs in, and no other.
    """
    for each in next(ROOT.glob(".venv/lib/python*/site-packages")).iterdir():
        if not each.name.startswith(("agentos", "_agentos", "__pycache__")) and each.suffix != ".pth":
            if each.is_dir():
                shutil.copytree(
                    each, site / each.name, copy_function=link, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                link(str(each), str(site / each.name))


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def run(installed: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"AGENTOS_HOME": str(home), "HOME": str(home), "PATH": os.defpath, "NO_COLOR": "1"}
    command = [str(installed / "bin/python"), "-I", "-W", "error", *arguments]
    return subprocess.run(
        command,
        cwd=home.parent if home.name == "home" else home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_it_carries_every_module_the_guest_and_the_protos(wheel: Path) -> None:
    assert PURE in wheel.name
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for name, path in modules(generated=True).items():
        inside = name.replace(".", "/")
        assert {f"{inside}.py", f"{inside}/__init__.py"} & names, path
    assert "agentos/guests/python/guest.wasm" in names
    assert {"agentos/v1/files.proto", "agentos/v1/files_pb2.pyi", "agentos/sdk/py.typed"} <= names
    assert {name.split("/")[0] for name in names} == {"agentos", "agentos_kernel-0.1.0.dist-info"}


def test_it_says_its_licence_and_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        said = email.message_from_bytes(packed.read("agentos_kernel-0.1.0.dist-info/METADATA"))
    assert said["License-Expression"] == "Apache-2.0"
    needs = [str(one) for one in said.get_all("Requires-Dist", [])]
    assert any(one.startswith("wasmtime==") for one in needs)
    assert not any("componentize-py" in one and "extra ==" not in one for one in needs)


def test_it_runs_where_the_source_is_not(installed: Path, tmp_path: Path) -> None:
    where = run(installed, "-c", "import agentos.kernel.path as p; print(p.__file__)", home=tmp_path)
    assert where.stdout.startswith(str(installed)), where.stderr
    told = run(installed, "-c", COMMAND, "--help", home=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "run" in told.stdout


PROGRAM = """\
# /// script
# [tool.agentos]
# name = "first"
# [tool.agentos.grants]
# "files.read" = { path = ["words.txt"] }
# ///
result = len(open("words.txt").read().split())
"""


def test_a_program_runs_where_the_source_is_not(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one two three")
    (tmp_path / "first.py").write_text(PROGRAM)
    made = run(installed, "-c", COMMAND, "init", "--key-file", str(tmp_path / "key"), home=tmp_path / "home")
    assert made.returncode == 0, made.stderr
    compiled.keep_in(tmp_path / "home")  # that it compiles its guest there is seen on the tour, below
    ran = run(installed, "-c", COMMAND, "run", "first.py", "--grant", "manifest", "--json", home=tmp_path / "home")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert (told["status"], told["result"], told["refused"]) == ("done", 3, 0)


def test_the_tour_is_what_one_sees(installed: Path) -> None:
    agentos = installed / "bin" / "agentos"
    agentos.write_text(f"#!{installed}/bin/python -I\n{COMMAND}\n")
    agentos.chmod(0o755)
    made = [sys.executable, "docs/shown/tour.py", "--agentos", str(agentos), "--check"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def copied(into: Path) -> Path:
    into.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, into / name, symlinks=True, ignore=shutil.ignore_patterns("*.wasm", "__pycache__"))
    for name in PLAIN:
        shutil.copyfile(ROOT / name, into / name)
    return into


def test_a_tree_without_the_guest_builds_it_first(tmp_path: Path) -> None:
    tree = copied(tmp_path / "tree")
    (tree / "guests/python/build.py").write_text('open("guests/python/guest.wasm", "wb").write(b"made here")')
    done = build(tree, tmp_path / "dist")
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(built) as packed:
        assert packed.read("agentos/guests/python/guest.wasm") == b"made here"


def test_where_the_guest_cannot_be_built_it_says_what_to_do(tmp_path: Path) -> None:
    tree = copied(tmp_path / "tree")
    (tree / "sitecustomize.py").write_text("import sys\nsys.modules['componentize_py'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "make guest" in done.stdout + done.stderr
