"""What is installed is named by content, and the lock says nothing of where it came from."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.source import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^([a-z0-9-]+)==([^ ]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_entry_has_its_hashes() -> None:
    named = re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE)
    assert [entry[0] for entry in ENTRY.findall(LOCK)] == named
    assert len(named) == len(set(named)) > 40


def test_it_names_no_host_and_no_folder() -> None:
    said = [
        line
        for line in LOCK.splitlines()
        if "://" in line or line.lstrip().startswith(("-i", "--index", "--find", "/"))
    ]
    assert said == []
    assert not re.search(r"^[^#\n]*@ ", LOCK, re.MULTILINE)


def test_it_holds_what_the_project_asks_for() -> None:
    locked = {name: version for name, version, _ in ENTRY.findall(LOCK)}
    extras = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
    for asked in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if asked.name != PROJECT["name"]:
            assert asked.specifier.contains(locked[canonicalize_name(asked.name)]), asked


def test_no_other_lock_stands_beside_it() -> None:
    assert not (ROOT / "uv.lock").exists()
