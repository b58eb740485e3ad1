"""agentos service: under a real systemd of one's own, where root can start one here, and as text everywhere."""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentos.shell import supervisor, unit
from agentos.shell.failure import Failure
from tests import compiled
from tests.shell.conftest import SECONDS, Shell, environment, until

# A private /run, in which systemd finds a machine that it believes to have been started by it.
BOOTED = "mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec /lib/systemd/systemd --user"
SYSTEMD = Path("/lib/systemd/systemd")
HERE = sys.platform == "linux" and os.geteuid() == 0 and SYSTEMD.exists() and shutil.which("unshare") is not None
ODD = """a b%h "c" $HOME 'd'"""


@pytest.fixture
def tidy(homeless: Shell) -> Shell:
    """The command line of somebody who has nothing yet, in folders of their own; no systemd answers there."""
    place = homeless.folder
    folders = {name: str(place / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "HOME")}
    for folder in folders.values():
        Path(folder).mkdir(mode=0o700)
    return replace(homeless, environment=environment(place / ODD) | folders)


@pytest.fixture
def kept(tidy: Shell) -> Iterator[Shell]:
    """The same with a systemd for its own services."""
    if not HERE:
        pytest.skip("wants root, unshare and systemd (Debian: systemd, dbus)")
    with open(tidy.folder / "systemd.log", "wb") as log:
        manager = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", BOOTED],
            env=tidy.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        listens = Path(tidy.environment["XDG_RUNTIME_DIR"], "systemd", "private")
        until(lambda: listens.exists() or manager.poll() is not None, "no systemd")
        if manager.poll() is not None:
            pytest.skip(
                "this machine lets no second systemd start: " + (tidy.folder / "systemd.log").read_text()[-200:]
            )
        yield tidy
    finally:
        if manager.poll() is None:
            tidy("service", "remove", "--yes")
        manager.terminate()
        manager.wait(SECONDS)


def state(shell: Shell) -> dict[str, str]:
    told = shell("service", "status", "--json").json
    assert isinstance(told, dict)
    return dict(told["state"])


def serving(shell: Shell, unit_file: Path, but: str = "") -> str:
    """The pid of the kernel that serves, and is not that one."""
    asked = ["systemctl", "--user", "show", "-p", "SubState", "-p", "MainPID", unit_file.name]

    def there() -> bool:
        told = subprocess.run(asked, env=shell.environment, capture_output=True, text=True, check=False).stdout
        return "SubState=running" in told.split() and f"MainPID={but}" not in told.split()

    until(there, "no kernel serves", every_s=0.2)
    assert state(shell)["SubState"] == "running"
    return state(shell)["MainPID"]


@pytest.mark.slow
def test_a_kernel_is_kept_on_by_a_real_systemd(kept: Shell) -> None:
    unit_file = _installed_path(kept)
    # As installed, but quicker where a test waits for it.
    drop_in = unit_file.with_name(f"{unit_file.name}.d") / "quick.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nWatchdogSec=3\nRestartSec=0.1\nTimeoutAbortSec=0.5\n")
    kept.made()

    installed = kept("service", "install", "--ready", "1")
    assert installed.code == 0, installed.err
    assert f"wrote: {unit_file}" in installed.err
    assert "loginctl enable-linger" in installed.err
    first = serving(kept, unit_file)
    assert state(kept)["StatusText"].startswith("serving; 0 runs under way")

    # Its walls stand within those of the unit.
    assert kept("run", kept.write("says.py", "print('on')")).out == "on\n"
    walls = kept("doctor", "--json").json
    probe = [sys.executable, "-m", "agentos.kernel.cells.probe"]
    alone = subprocess.run(probe, capture_output=True, check=True, text=True, timeout=SECONDS)
    assert isinstance(walls, dict)
    assert {each["name"]: each["held"] for each in walls["walls"]} == {
        each["name"]: each.get("held", False) for each in _json(alone.stdout)
    }

    again = kept("service", "install", "--ready", "1")
    assert (again.code, "there already, and as it should be" in again.err) == (0, True), again.err
    assert serving(kept, unit_file) == first

    os.kill(int(first), signal.SIGKILL)
    second = serving(kept, unit_file, but=first)
    os.kill(int(second), signal.SIGSTOP)
    third = serving(kept, unit_file, but=second)
    assert state(kept)["NRestarts"] == "2"

    gone = kept("service", "remove")
    assert gone.code == 0, gone.err
    assert not unit_file.exists()
    assert list(unit_file.parent.glob("default.target.wants/*")) == []
    assert not Path(f"/proc/{third}").exists()
    assert drop_in.exists()


def _installed_path(shell: Shell) -> Path:
    told = shell("service", "--json").json
    assert isinstance(told, dict)
    return Path(told["path"])


def _json(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(text)
    return found


def test_without_a_systemd_it_says_what_is_missing_and_what_to_do(tidy: Shell) -> None:
    assert tidy("init", "--key-file", "key").code == 0
    file = _installed_path(tidy)
    nothing = tidy("service")
    assert (nothing.code, "not installed" in nothing.out) == (0, True)
    installed = tidy("service", "install")
    assert installed.code == 0, installed.err
    assert "It was not started: " in installed.err
    assert "agentos up --detach" in installed.err
    assert "as installed" in tidy("service").out
    logs = tidy("service", "logs")
    assert (logs.code, "systemd" in logs.err) == (5, True)
    assert tidy("service", "remove").code == 0
    assert not file.exists()
    assert tidy("service", "remove").code == 2


def test_what_was_changed_by_hand_is_lost_only_when_one_says_so(tidy: Shell) -> None:
    assert tidy("init", "--key-file", "key").code == 0
    assert tidy("service", "install").code == 0
    file = _installed_path(tidy)
    made = file.read_text()
    mine = made.replace("RestartSec=2", "RestartSec=7")
    file.write_text(mine)
    assert "changed by hand" in tidy("service").out
    for verb in ("install", "remove"):
        refused = tidy("service", verb)
        assert (refused.code, "--yes" in refused.err, file.read_text()) == (2, True, mine)
    file.write_text("[Service]\nExecStart=/usr/bin/true\n")
    refused = tidy("service", "install")
    assert (refused.code, "was not made by agentos" in refused.err) == (2, True)
    assert tidy("service", "install", "--yes").code == 0
    assert file.read_text() == made


def test_a_home_that_only_a_passphrase_opens_is_served_locked(tidy: Shell) -> None:
    shown = tidy("service", "install", "--print")
    told = tidy("service", "install", "--print", "--json").json
    assert isinstance(told, dict)
    assert told["text"] == shown.out
    assert (shown.code, "[Service]" in shown.out) == (0, True)
    assert tidy("service", "install").code == 5
    secret = replace(tidy, environment=tidy.environment | {"AGENTOS_PASSPHRASE": "correct horse"})
    assert secret("init", "--passphrase").code == 0
    written = secret("service", "install", "--print").out
    assert "correct horse" not in written
    assert '"agentos.locked" "wait" "--home"' in written
    installed = secret("service", "install")
    assert (installed.code, "agentos unlock" in installed.err) == (0, True), installed.err
    assert _installed_path(tidy).read_text() == written
    assert secret("keys", "add", "--key-file", str(tidy.folder / "key")).code == 0
    assert '"agentos.kernel" "serve" "--home"' in secret("service", "install", "--print").out


def test_what_a_service_of_a_passphrase_runs_waits_for_its_key_and_serves(homeless: Shell) -> None:
    secret = replace(homeless, environment=homeless.environment | {"AGENTOS_PASSPHRASE": "correct horse"})
    assert secret("init", "--passphrase").code == 0
    compiled.keep_in(Path(homeless.environment["AGENTOS_HOME"]), "correct horse")
    command = supervisor.wanted(homeless.environment["AGENTOS_HOME"], 1, locked=True).command
    with subprocess.Popen(command, cwd=homeless.folder, env=homeless.environment) as waiting:
        try:
            until(lambda: '"socket"' in homeless("where", "--json").out, "it waits")
            assert "locked" in homeless("grants").err
            assert secret("unlock").code == 0
            assert homeless("grants").code == 0
        finally:
            waiting.terminate()
            waiting.wait(SECONDS)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("odd", ["plain", "with space", "50%h", "a$HOME", "ünï"])
def test_systemd_finds_nothing_wrong_with_the_unit(odd: str, tmp_path: Path) -> None:
    program = tmp_path / odd / "python"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    wanted = unit.Wanted(str(tmp_path / odd), (str(program), ODD, "back\\slash\n"), {"AGENTOS_STATE": ODD})
    (tmp_path / "agentos.service").write_text(unit.systemd(wanted))
    said = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(tmp_path / "agentos.service")],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")


def test_a_path_that_systemd_does_not_take_is_refused_before() -> None:
    for path in ('/a/quo"te', "/a/it's", "/a/back\\slash", "/a/two\nlines"):
        with pytest.raises(Failure, match="no program at such a path"):
            supervisor.Systemd("agentos").text(unit.Wanted("/h", (path,), {}))


def test_the_property_list_says_the_same_to_launchd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOS_STATE", "state & <more>")
    monkeypatch.setenv("AGENTOS_PASSPHRASE", "correct horse")
    text = unit.launchd(supervisor.wanted(f"/home/{ODD}", 4), "org.agentos.agentos", "/tmp/log")
    assert unit.made_by_us(text) is True
    assert unit.made_by_us(text.replace("<true/>", "<false/>")) is False
    assert "correct horse" not in text
    told = plistlib.loads(text.encode())
    assert told["ProgramArguments"][0] == os.path.abspath(sys.executable)
    assert told["ProgramArguments"][-4:] == ["--home", f"/home/{ODD}", "--ready-cells", "4"]
    assert (told["RunAtLoad"], told["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert told["EnvironmentVariables"]["AGENTOS_STATE"] == os.path.abspath("state & <more>")


def test_each_home_has_a_service_of_its_own() -> None:
    assert unit.named("/h", "/h") == "agentos"
    assert unit.named("/h", "/g") != unit.named("/i", "/g")


def test_code_that_lies_where_it_is_started_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "agentos").mkdir()
    (tmp_path / "agentos" / "__init__.py").write_text("print('taken')")
    command = supervisor.wanted(str(tmp_path / "none"), 1).command
    with contextlib.chdir(tmp_path):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, "taken" in done.stdout) == (5, False)
