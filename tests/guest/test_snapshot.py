"""What is there when the guest is built is immortal, and nothing is built where the layout is not as it is known."""

from __future__ import annotations

import struct

import pytest

from agentos.guests.python import snapshot
from tests.guest.conftest import Stage

NONE, KIND, EACH, KEPT, ITEMS, WORD = 64, 96, 128, 160, 192, 256


def memory(count: int = 2, kind: int = KIND) -> bytearray:
    """None, a type, an object of it, and the list that lasting.py leaves, with word of where it is."""
    made = bytearray(320)
    for at, references, of in ((NONE, 7 << 28, KIND), (KIND, 9, KIND), (EACH, count, kind)):
        struct.pack_into("<II", made, at, references, of)
    struct.pack_into("<IIII", made, KEPT, 1, KIND, 2, ITEMS)
    struct.pack_into("<II", made, ITEMS, KIND, EACH)
    made[WORD : WORD + len(snapshot.MARK)] = snapshot.MARK
    struct.pack_into("<III", made, WORD + len(snapshot.MARK), KEPT, 2, NONE)
    return made


def component(filled: bytearray) -> bytes:
    """A component whose first module has this memory."""
    data = snapshot._segments(filled, 0)
    module = b"\0asm\1\0\0\0" + snapshot._section(snapshot.DATA, data)
    return b"\0asm\x0d\0\1\0" + snapshot._section(snapshot.MODULE, module)


def test_every_lasting_object_gets_the_count_of_an_immortal_one_and_all_else_stays() -> None:
    before = memory()
    changed, count = snapshot.immortalised(component(before))
    ((_, module),) = snapshot._sections(changed)
    ((_, data),) = snapshot._sections(module)
    after, _ = snapshot._memory(data)
    assert count == 2
    for at in (KIND, EACH):
        assert struct.unpack_from("<I", after, at) == (snapshot.IMMORTAL,)
        after[at : at + 4] = before[at : at + 4]
    assert after == before[: len(after)]
    assert not any(before[len(after) :])


@pytest.mark.parametrize(
    "filled",
    [memory(count=0), memory(count=snapshot.MOST_MORTAL), memory(kind=KEPT), bytearray(b"nothing of the kind")],
    ids=["dead", "too many references", "no type", "no list"],
)
def test_a_memory_of_another_layout_is_not_touched(filled: bytearray) -> None:
    with pytest.raises(snapshot.NotAsExpected):
        snapshot.immortalised(component(filled))


@pytest.mark.asyncio(loop_scope="session")
async def test_what_a_program_imports_is_immortal_and_what_it_makes_is_not(stage: Stage) -> None:
    source = (
        "import json, sys\nlasting = [json.loads, json.loads.__code__, json.decoder.JSONDecoder, sys.modules['csv']]\n"
        "result = [sys.getrefcount(each) >= 1 << 30 for each in (*lasting, object())]"
    )
    assert (await stage.play(source)).result == [True, True, True, True, False]
