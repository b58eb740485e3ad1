"""Who may import whom. The walls between processes are only worth what the walls between their sources are."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.source import ROOT, imports, modules, tree, within

KERNEL = "agentos.kernel"
OTHERS = ("agentos.capabilities", "agentos.guests", "agentos.sdk", "agentos.shell")
TRUSTED = (KERNEL, "agentos.runs", "agentos.home", "agentos.events", "agentos.manifest")
BARE = (
    "kernel", "runs", "home", "audit", "locked", "events", "manifest", "capabilities", "guests", "sdk", "shell", "v1",
)  # fmt: skip
# What costs a fifth of a second or more, or parses what strangers send: never in the kernel, never before a command.
HEAVY = (
    "wasmtime", "openai", "mcp", "numpy", "onnxruntime", "cryptography", "keyring.backends", "componentize_py",
    "httpcore2", "h11", "anyio", "watchfiles", "dns", "certifi", "truststore", "trafilatura", "lxml", "justext",
    "courlan", "htmldate", "dateparser", "regex", "tld", "babel", "charset_normalizer", "urllib3", "structlog",
    "psutil", "hypothesis", "pytest",
)  # fmt: skip
# What a person waits for at every command.
HEAVY_FOR_THE_SHELL = (*HEAVY, "apsw", "nacl", "rich.markdown", "asyncio.subprocess")


def offences(package: str, *forbidden: str) -> list[str]:
    return [
        f"{name} imports {imported}"
        for name, path in modules().items()
        if within(name, package)
        for imported in imports(path)
        if any(within(imported, one) for one in forbidden)
    ]


def test_the_kernel_imports_none_of_the_others() -> None:
    assert offences(KERNEL, *OTHERS) == []
    assert offences("agentos.runs", *OTHERS) == []


def test_who_decides_knows_nothing_of_the_life_of_runs() -> None:
    """Only what puts the process together, and what answers the shell, knows both."""
    together = (f"{KERNEL}.serve", f"{KERNEL}.control")
    assert [each for each in offences(KERNEL, "agentos.runs") if each.split()[0] not in together] == []
    assert offences("agentos.runs", *together) == []


@pytest.mark.parametrize("package", OTHERS)
def test_none_of_the_others_imports_the_kernel_or_the_home(package: str) -> None:
    assert offences(package, KERNEL, "agentos.runs", "agentos.home") == []


def test_the_protos_import_no_room_of_the_house() -> None:
    assert offences("agentos.v1", *TRUSTED, *OTHERS) == []


def test_manifests_are_read_with_the_protos_alone() -> None:
    assert offences("agentos.manifest", KERNEL, "agentos.runs", "agentos.home", *OTHERS) == []


def test_events_are_decided_on_without_the_kernel() -> None:
    """It hands them records and powers, so that a schedule is tried without a process."""
    assert offences("agentos.events", KERNEL, "agentos.runs", *OTHERS) == []


def test_what_lies_at_rest_knows_nothing_of_what_it_means() -> None:
    """The home keeps keys and records; what a record says is the kernel's business."""
    assert offences("agentos.home", KERNEL, "agentos.runs", "agentos.manifest", "agentos.v1", *OTHERS) == []


@pytest.mark.parametrize("package", ["agentos.capabilities", "agentos.guests", "agentos.sdk", "agentos.shell"])
def test_what_runs_in_another_process_shares_only_the_protos(package: str) -> None:
    """The guest is made of the SDK, and the shell may name the programs that ship; nothing else crosses."""
    allowed = {"agentos.guests": ("agentos.sdk",)}
    others = [one for one in OTHERS if one != package and one not in allowed.get(package, ())]
    assert offences(package, *others) == []


def test_what_waits_for_the_key_is_imported_by_nobody() -> None:
    """It goes on as the kernel; the kernel goes on as it by exec, and never runs beside it."""
    assert [each for room in (*TRUSTED, *OTHERS) for each in offences(room, "agentos.locked")] == []
    assert offences("agentos.locked", *OTHERS) == []


def test_the_auditor_shares_no_code_with_what_it_looks_at() -> None:
    foreign = {
        imported
        for name, path in modules().items()
        if within(name, "agentos.audit")
        for imported in imports(path)
        if imported.split(".")[0] not in (*sys.stdlib_module_names, "apsw", "cryptography")
        and not within(imported, "agentos.audit")
    }
    assert foreign == set()
    assert [each for room in (KERNEL, "agentos.home", *OTHERS) for each in offences(room, "agentos.audit")] == []


def test_the_auditor_loads_no_code_of_what_it_looks_at() -> None:
    loaded = loaded_by("import agentos.audit.check, agentos.audit.story")
    assert {one for one in loaded if one.startswith("agentos.")} - {"agentos.audit"} <= {
        f"agentos.audit.{each}" for each in ("authority", "check", "format", "msgpack", "story")
    }


def test_only_one_module_imports_wasmtime() -> None:
    knows = {name for name, path in modules().items() if any(within(one, "wasmtime") for one in imports(path))}
    assert knows <= {"agentos.kernel.cells.runtime"}


def test_nothing_is_imported_by_its_bare_name() -> None:
    assert offences("agentos", *BARE) == []


def test_the_kernel_does_without_any() -> None:
    """What is not known exactly has no place in the trusted part."""
    assert [each for room in TRUSTED for each in offences(room, "typing.Any", "typing_extensions.Any")] == []
    aliases = [
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        if any(within(name, room) for room in TRUSTED)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "Any"
    ]
    assert aliases == []


def test_the_sdk_of_a_guest_needs_only_the_standard_library() -> None:
    inside = {name: path for name, path in modules().items() if within(name, "agentos.sdk")}
    guest = {
        name: path
        for name, path in inside.items()
        if not within(name, "agentos.sdk.testing") and not within(name, "agentos.sdk.generate")
    }
    foreign = {
        imported
        for path in guest.values()
        for imported in imports(path)
        if imported.split(".")[0] not in sys.stdlib_module_names and not within(imported, "agentos.sdk")
    }
    assert foreign == set()


def loaded_by(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/", env=environment
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_kernel_starts_without_what_is_heavy() -> None:
    every = [name for name in modules() if within(name, KERNEL) and not within(name, f"{KERNEL}.cells.runtime")]
    light = [name for name in every if not within(name, f"{KERNEL}.cells") and not name.endswith("__main__")]
    loaded = loaded_by("import " + ", ".join(light))
    assert {one for one in loaded if any(within(one, heavy) for heavy in HEAVY)} == set()


def test_a_command_starts_without_what_is_heavy() -> None:
    loaded = loaded_by("import agentos.shell.main")
    assert {one for one in loaded if any(within(one, heavy) for heavy in HEAVY_FOR_THE_SHELL)} == set()
    assert not any(within(one, KERNEL) for one in loaded)


def test_the_links_of_an_editable_install_lead_to_the_rooms() -> None:
    links = {link.name: os.readlink(link) for link in (ROOT / "dev/agentos").iterdir()}
    assert {name: Path("dev/agentos", target).as_posix() for name, target in links.items()} == {
        **{room: f"dev/agentos/../../{room}" for room in BARE[:-1]},
        "v1": "dev/agentos/../../proto/agentos/v1",
    }
