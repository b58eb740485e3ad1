"""A program that digs below Python, through the real kernel: refused, with the name of what it reached for."""

from __future__ import annotations

import pytest

from agentos.v1 import error_pb2
from tests.kernel.person import Person, eventually

FRESH = """
import _imp, importlib.machinery
from agentos.sdk import files
files.read("a.txt")
print("digging", flush=True)
made = _imp.create_builtin(importlib.machinery.ModuleSpec("{module}", None))
_imp.exec_builtin(made)
try:
    {way}
except BaseException:
    pass
finally:
    files.write("after.txt", text="it went on")
result = "not reached"
"""
GRANTS = '"files.read" = { path = ["a.txt"] }\n"files.write" = { path = ["after.txt"] }'
WAYS = {
    ("posix", "made.listdir('/')"): "wasi:filesystem/preopens#get-directories",
    ("posix", "made.urandom(8)"): "wasi:random/random#get-random-bytes",
    ("_socket", "made.socket()"): "wasi:sockets/tcp-create-socket#create-tcp-socket",
    ("posix", "made._exit(0)"): "wasi:cli/exit#exit",
}


@pytest.mark.parametrize(("module", "way"), WAYS)
def test_who_digs_below_python_is_refused_and_told_which_stub_it_reached(person: Person, module: str, way: str) -> None:
    (person.folder / "a.txt").write_text("a")
    told = person.run(FRESH.format(module=module, way=way), GRANTS)
    assert told.status == "refused"
    assert told.ended.error.code == error_pb2.CODE_DENIED
    assert told.ended.error.reason == f"the program reached below Python for {WAYS[module, way]}, which is not there"
    assert told.ended.error.hint
    assert told.output == "digging\n"
    # It is over there and then: no handler of the program runs, and nothing it did not ask for is recorded.
    assert [call.action for call in person.calls(told.id)] == ["files.read"]
    assert not (person.folder / "after.txt").exists()
    assert eventually(lambda: person.status().cells_busy == 0)


def test_a_write_that_is_lost_unseen_refuses_the_run(person: Person) -> None:
    outside = person.folder / "outside.txt"
    told = person.run(f"open({str(outside)!r}, 'w').write('x')\nresult = 1", GRANTS)
    assert told.status == "refused"
    assert str(outside) in told.ended.error.hint
    assert not outside.exists()
