"""A home: made whole or not at all, for one person, served by one kernel at a time."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentos.home import home
from agentos.home.home import Home, HomeError
from agentos.home.journal import Journal

HOLD = """
import sys
from pathlib import Path
from agentos.home import home
held = home.unlock(Path(sys.argv[1]))
held.write_credential("token")
print("held", flush=True)
sys.stdin.read()
held.close()
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    home.initialise(path, "key-file", key_file=tmp_path / "key")
    return path


@contextmanager
def opened(path: Path, secret: str = "") -> Iterator[Home]:
    held = home.unlock(path, secret)
    try:
        yield held
    finally:
        held.close()


def error_of(action: Callable[[], object]) -> HomeError:
    with pytest.raises(HomeError) as told:
        action()
    assert told.value.reason
    assert told.value.hint
    return told.value


async def test_a_home_opens_without_a_question_where_a_key_file_is(made: Path) -> None:
    with opened(made) as held:
        journal = Journal.open(held.database, held.keys.database)
        assert journal.head[0] == 0
        await journal.close()
        assert held.images.is_dir()


def test_everything_in_a_home_is_the_persons_alone(made: Path) -> None:
    with opened(made) as held:
        held.write_credential("token")
        for each in (made, *made.rglob("*")):
            assert each.stat().st_mode & 0o777 == (0o700 if each.is_dir() else 0o600), each
        assert held.credential.read_text() == "token"


def test_the_recovery_key_and_the_passphrase_open_the_same_home(tmp_path: Path) -> None:
    path = tmp_path / "home"
    recovery = home.initialise(path, "passphrase", "correct horse")
    with opened(path, "correct horse") as one:
        first = one.keys
    with opened(path, recovery.lower()) as other:
        assert other.keys == first
    assert error_of(lambda: home.unlock(path)).code == "passphrase_needed"
    assert error_of(lambda: home.unlock(path, "wrong")).code == "wrong_passphrase"
    mistyped = recovery[:-1] + ("0" if recovery[-1] != "0" else "1")
    assert error_of(lambda: home.unlock(path, mistyped)).code == "wrong_passphrase"


def test_the_recovery_key_opens_a_home_whose_key_file_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "home"
    recovery = home.initialise(path, "key-file", key_file=tmp_path / "key")
    (tmp_path / "key").unlink()
    assert error_of(lambda: home.unlock(path)).code == "no_key_file"
    with opened(path, recovery):
        pass


def test_neither_key_nor_passphrase_nor_recovery_key_lies_in_the_home(tmp_path: Path) -> None:
    path = tmp_path / "home"
    recovery = home.initialise(path, "passphrase", "correct horse")
    with opened(path, "correct horse") as held:
        secret = (b"correct horse", recovery.encode(), recovery.replace("-", "").encode())
        derived = (held.keys.database, held.keys.images, held.keys.boot)
        for file in (each for each in path.rglob("*") if each.is_file()):
            raw = file.read_bytes()
            assert not any(each in raw for each in (*secret, *derived, *(key.hex().encode() for key in derived)))


def test_a_home_is_never_made_over_something(made: Path, tmp_path: Path) -> None:
    before = (made / "unlock.json").read_bytes()
    assert error_of(lambda: home.initialise(made, "passphrase", "x")).code == "exists"
    assert (made / "unlock.json").read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    assert error_of(lambda: home.initialise(other, "passphrase", "x")).code == "not_empty"
    assert error_of(lambda: home.where(other / "letter.txt")).code == "no_folder"
    assert error_of(lambda: home.initialise(other / "letter.txt", "passphrase", "x")).code == "no_folder"


def test_a_failed_start_leaves_no_home_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "home"
    assert error_of(lambda: home.initialise(path, "passphrase", "")).code == "passphrase_needed"
    assert error_of(lambda: home.unlock(path)).code == "no_home"
    home.initialise(path, "key-file", key_file=tmp_path / "key")
    with opened(path):
        pass


FULL = """
import sys
from pathlib import Path
from agentos.home import home
from agentos.home.home import HomeError

disk, key = Path(sys.argv[1]), Path(sys.argv[2])
ballast = disk / "ballast"
refused = 0
for room in range(0, 200_000, 4096):
    ballast.write_bytes(b"")
    try:
        with open(ballast, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError:
        pass
    with open(ballast, "r+b") as file:
        file.truncate(max(0, ballast.stat().st_size - room))
    try:
        home.initialise(disk / "h", "key-file", key_file=key)
    except HomeError as error:
        assert error.code == "unavailable", error
        refused += 1
        continue
    ballast.unlink()
    break
home.unlock(disk / "h").close()
print(refused)
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_on_a_full_disk_no_home_is_made_and_nothing_is_in_the_way_of_the_next_try(tmp_path: Path) -> None:
    disk, key = tmp_path / "disk", tmp_path / "key"
    disk.mkdir()
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=1m none {disk}"
    if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    run = [*unshare, "sh", "-c", f'{mount} && exec "$0" -c "$1" {disk} {key}', sys.executable, FULL]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert int(done.stdout) > 2, "each amount of room was tried"


def test_a_key_file_is_not_kept_within_the_home(tmp_path: Path) -> None:
    path = tmp_path / "home"
    assert error_of(lambda: home.initialise(path, "key-file", key_file=path / "key")).code == "invalid"
    (tmp_path / "door").symlink_to(path)
    assert error_of(lambda: home.initialise(path, "key-file", key_file=tmp_path / "door" / "key")).code == "invalid"


def test_a_home_that_others_can_look_into_is_refused_and_says_the_remedy(made: Path) -> None:
    made.chmod(0o750)
    error = error_of(lambda: home.unlock(made))
    assert (error.code, error.hint) == ("open_to_others", f"chmod 700 {made}")
    made.chmod(0o700)
    with opened(made):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_somebody_else_is_refused(made: Path) -> None:
    os.chown(made, 12345, -1)
    assert error_of(lambda: home.unlock(made)).code == "not_yours"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "broken"), ("{", "broken"), ("[]", "broken"), ('{"version": 1}', "broken"), ("\udcff", "broken"),
        ('{"version": 2, "home": "x"}', "newer"), ('{"version": 1, "home": "x"}', "broken"),
        ('{"version": 1, "home": "x", "slots": [{"kind": "passphrase", "wrapped": "AAAA"}]}', "passphrase_needed"),
        ('{"version": 1, "home": "x", "slots": [{"kind": "magic", "wrapped": "AAAA"}]}', "broken"),
    ],
)  # fmt: skip
def test_a_damaged_or_newer_unlock_file_is_told_apart(made: Path, content: str, code: str) -> None:
    (made / "unlock.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert error_of(lambda: home.unlock(made)).code == code


def test_slots_of_another_home_open_nothing(made: Path, tmp_path: Path) -> None:
    home.initialise(tmp_path / "other", "key-file", key_file=tmp_path / "key2")
    mine, other = (json.loads((each / "unlock.json").read_text()) for each in (made, tmp_path / "other"))
    (made / "unlock.json").write_text(json.dumps({**mine, "slots": other["slots"]}))
    assert error_of(lambda: home.unlock(made)).code == "broken"


def test_a_home_without_its_journal_is_not_given_an_empty_one(made: Path) -> None:
    (made / "agentos.db").write_bytes(b"")
    assert error_of(lambda: home.unlock(made)).code == "broken"
    (made / "agentos.db").unlink()
    assert error_of(lambda: home.unlock(made)).code == "broken"


def test_a_second_kernel_is_refused_and_told_the_pid_of_the_first(made: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        error = error_of(lambda: home.unlock(made))
        assert error.code == "locked_by_other"
        assert str(first.pid) in error.reason
        found = home.where(made)
        assert found.pid == first.pid
        assert found.credential == str(made / "run" / "credential")
        first.kill()  # the lock dies with its holder, however that dies
    assert home.where(made).pid is None
    with opened(made) as held:
        assert home.where(made).pid == os.getpid()
        assert held.name
    assert home.where(made).credential is None


def test_sockets_of_a_killed_kernel_are_swept_away(made: Path) -> None:
    with opened(made) as held:
        runtime = held.runtime
    runtime.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(runtime / "control.sock"))
    with opened(made):
        assert not (runtime / "control.sock").exists()


def test_a_long_path_gets_a_short_private_folder_for_its_sockets(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 20) / "home"
    home.initialise(path, "key-file", key_file=tmp_path / "key")
    with opened(path) as held:
        assert len(os.fsencode(held.runtime / "control.sock")) < 100
        assert held.runtime.stat().st_mode & 0o777 == 0o700
        held.write_credential("token")
        assert home.where(path).socket == str(held.runtime / "control.sock")
    assert not held.runtime.exists()
    held.runtime.mkdir(mode=0o755)
    assert error_of(lambda: home.unlock(path)).code == "open_to_others"
    held.runtime.rmdir()
    held.runtime.symlink_to(tmp_path)
    assert error_of(lambda: home.unlock(path)).code in ("unavailable", "open_to_others")
    held.runtime.unlink()


def test_where_there_is_no_home_that_is_said_and_nothing_is_made(tmp_path: Path) -> None:
    found = home.where(tmp_path / "none")
    assert (found.exists, found.pid, found.socket) == (False, None, None)
    assert not (tmp_path / "none").exists()


def test_the_home_is_where_the_environment_says_or_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENTOS_HOME", str(tmp_path / "x" / ".." / "y"))
    assert home.default_home() == tmp_path / "y"
    monkeypatch.delenv("AGENTOS_HOME")
    assert home.default_home().name == "agentos"
