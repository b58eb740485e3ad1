"""The log of a real kernel over a whole session: what happened is there, and nothing of the person's."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.kernel.person import Person, eventually, kernel_on, warm_home

READS = '"files.read" = { path = ["canary-*.txt"] }'
PROGRAM = """
import sys
from agentos.sdk import AgentError, files
print("canary-printed")
for name in ("canary-here.txt", "canary-gone.txt", "canary-elsewhere/x.txt"):
    try:
        files.read(name)
    except AgentError:
        pass
raise ValueError("canary-raised")
"""


def test_a_session_leaves_no_word_of_the_persons_in_the_log(tmp_path: Path) -> None:
    state, place = tmp_path / "state", tmp_path / "canary-person"
    place.mkdir()
    home = warm_home(place)
    with kernel_on(home, place / "log", AGENTOS_STATE=str(state)) as up:
        person = Person(up.socket, up.credential, place)
        (place / "canary-here.txt").write_text("canary-content")
        run = person.run(PROGRAM, READS, name="canary-program.py", input='"canary"')
        assert run.status == "failed"
        killed = person.capability("files").pid
        os.kill(killed, signal.SIGKILL)
        assert eventually(lambda: person.capability("files").pid != killed)
        again = person.run("from agentos.sdk import files\nfiles.read('canary-here.txt')", READS, name="again.py")
        assert again.status == "done"
        person.close()

    [path] = state.glob("*/kernel.log")
    text = path.read_text()
    assert "canary" not in text
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text
    lines = [json.loads(line) for line in text.splitlines()]
    events = [line["event"] for line in lines]
    assert (events[0], events[-1]) == ("kernel.started", "kernel.stopped")
    began, _ = (line for line in lines if line["event"] == "run.began")
    ended, _ = (line for line in lines if line["event"] == "run.ended")
    assert (began["run"], ended["run"], ended["status"]) == (run.id, run.id, "failed")
    assert [line["code"] for line in lines if line["event"] in ("call", "reply")] == ["not_found", "denied"]
    served = [line for line in lines if line.get("capability") == "files" and line["event"].startswith("server.")]
    assert [(line["event"], line["restarts"]) for line in served] == [
        ("server.started", 0), ("server.ended", 1), ("server.started", 1),
    ]  # fmt: skip
    assert served[0]["pid"] == served[1]["pid"] == killed != served[2]["pid"]
