"""Pages through a real kernel and a guest: any program may have one read, and it is known as foreign from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import ONCE, Person, Up, kernel_on, warm_home
from tests.pages.bombs import READ

WRITES = '"files.write" = { path = ["out/**"], ask = "always" }'
EXTRACT = """
from agentos.sdk import pages
def main(input):
    page = pages.extract(html=b"<title>Owls</title><p>" + b"The owl is heard. " * 20, url="https://example.com/")
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("pages")
    with kernel_on(warm_home(place), place / "log") as served:
        yield served


@pytest.fixture
def person(up: Up, tmp_path: Path) -> Iterator[Person]:
    made = Person(up.socket, up.credential, tmp_path.resolve())
    yield made
    made.close()


def test_any_program_may_have_a_page_read(person: Person) -> None:
    told = person.run(EXTRACT + "    return [page.title, len(page.text) > 100, page.language]\n")
    assert told.result == ["Owls", True, ""]
    [call] = person.calls(told.id, "pages.")
    assert call.decision == pb.CALL_DECISION_INHERENT
    assert call.from_outside
    assert not call.after_outside


def test_a_bomb_ends_as_a_limit_that_a_program_can_catch(person: Person) -> None:
    program = """
from agentos.sdk import LimitExceeded, pages
def main(input):
    try:
        pages.extract(html=b"<" * 400_000)
    except LimitExceeded as limit:
        return limit.detail
"""
    assert person.run(program).result == "too_large"


def test_what_is_asked_after_reading_a_page_says_so_before_a_yes(person: Person) -> None:
    (person.folder / "out").mkdir()
    program = EXTRACT + '    open("out/a.txt", "w").write(page.text)\n'
    told = person.run(program, WRITES, policy=ONCE)
    asked = [prompt for prompt in told.prompts if not prompt.review]
    assert [list(prompt.outside) for prompt in asked] == [["pages.extract"]]
    assert (person.folder / "out" / "a.txt").read_text().startswith("The owl")
    [written] = person.calls(told.id, "files.write")
    assert written.after_outside
    assert not written.from_outside
    assert list(person.record(told.id).outside) == ["pages.extract"]


def test_what_is_asked_by_a_run_that_read_nothing_from_outside_does_not(person: Person) -> None:
    (person.folder / "out").mkdir()
    told = person.run('open("out/a.txt", "w").write("x")\n', WRITES, policy=ONCE)
    assert [list(prompt.outside) for prompt in told.prompts if not prompt.review] == [[]]
    assert not any(call.after_outside or call.from_outside for call in person.calls(told.id))
    assert list(person.record(told.id).outside) == []


def test_an_extractor_reaches_nothing(person: Person) -> None:
    info = person.capability("pages")
    assert not info.network
    assert list(info.folders) == []
    (person.folder / "page.html").write_bytes(READ["outside"]())
    program = """
from pathlib import Path
from agentos.sdk import pages
def main(input):
    return pages.extract(html=Path("page.html").read_bytes()).text
"""
    assert "root:" not in str(person.run(program, '"files.read" = { path = ["page.html"] }').result)
