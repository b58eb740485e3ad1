"""A zygote whose cells are not guests but attackers: what code could do that had broken out of wasmtime.

It is the real zygote with the real walls; only what a cell does once it stands behind them is replaced, from here.
`python escaped.py NAME PARENT CONTROL IMAGE WARM`.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable

from agentos.kernel.cells import cell, zygote
from agentos.kernel.cells.cell import Line, Nest
from agentos.kernel.cells.frames import pack

END = pack(b"E", b'{"began_ns":0}\n{}')


def _raw(*portions: bytes) -> Callable[[Line], None]:
    def attack(line: Line) -> None:
        for portion in portions:
            os.write(line._line, portion)

    return attack


def _after_its_end(line: Line) -> None:
    """End, and when the kernel has taken that, go on for as long as there is somebody who could listen."""
    os.write(line._line, END)
    while True:
        again = time.monotonic() + 0.001  # it cannot sleep: a cell may not
        while time.monotonic() < again:
            pass
        os.write(line._line, pack(b"I", b'{"calls":[{"action":"files.read","args":{"path":"/etc/passwd"}}]}') + END)


def _out_of_turn(line: Line) -> None:
    """Ask, and when the kernel is at it, say more."""
    os.write(line._line, pack(b"I", b"{}"))
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        pass
    os.write(line._line, pack(b"I", b"{}") * 100)
    _silence(line)


def _hang_up(line: Line) -> None:
    """Ask, and hear no answer any more."""
    os.write(line._line, pack(b"I", b"{}"))
    os.close(line._line)
    _silence(line)


def _silence(line: Line) -> None:
    while True:
        pass


def _descriptors(line: Line) -> None:
    """What is open in here, by what can be read from it."""
    found = []
    for number in range(4096):
        try:
            os.lseek(number, 0, os.SEEK_SET)
            found.append("image" if os.read(number, 1) else "null")
        except OSError as refused:
            if refused.errno != errno.EBADF:
                found.append("line" if number == line._line else os.strerror(refused.errno or 0))
    line.send(b"E", b"{}\n" + ",".join(found).encode())


def _write_image(line: Line) -> None:
    """Change the code that all other cells run. Says what came of it, for each descriptor but null and the line."""
    found = []
    for number in set(range(3, 64)) - {line._line}:
        try:
            os.lseek(number, 0, os.SEEK_SET)
            os.write(number, b"\xcc")
            found.append("written")
        except OSError as refused:
            found.append({errno.EBADF: "closed or read-only"}.get(refused.errno or 0, "refused"))
    line.send(b"E", b"{}\n" + ",".join(sorted(set(found))).encode())


def _tell_zygote(line: Line) -> None:
    """Speak to the zygote in the kernel's place."""
    for number in range(64):
        if number != line._line:
            try:
                os.write(number, b"F")
            except OSError:
                continue
    line.send(b"E", b"{}\nsaid")


ATTACKS: dict[str, Callable[[Line], None]] = {
    "two results": _raw(END + END),
    "asks before it is answered": _raw(pack(b"I", b"{}") * 2),
    "oversize": _raw((9 << 20).to_bytes(4, "big") + b"E"),
    "noise": _raw(os.urandom(4096)),
    "half a frame": _raw(END[:7]),
    "no header": _raw(pack(b"E", b"\xff\xfe")),
    "bad header": _raw(pack(b"E", b'{"began_ns":"x"}\n')),
    "not text": _raw(pack(b"I", b"\xff\xff")),
    "trap of another kind": _raw(pack(b"T", b"[]")),
    "after its end": _after_its_end,
    "out of turn": _out_of_turn,
    "hang up": _hang_up,
    "silence": _silence,
    "descriptors": _descriptors,
    "write image": _write_image,
    "tell zygote": _tell_zygote,
    "socket": lambda line: __import__("socket").socket(),
    "exec": lambda line: os.execv("/bin/true", ["true"]),  # noqa: S606 (it must fail)
    "kill": lambda line: os.kill(os.getppid(), 9),
    "forged trap": _raw(pack(b"T", b'{"reached":"wasi:<script>\\u202e' + b"A" * 200 + b'"}')),
    "began in the future": _raw(pack(b"E", b'{"began_ns":9000000000000000000}\n{}')),
    "began before it was asked": _raw(pack(b"E", b'{"began_ns":1}\n{}')),
}


def main() -> None:
    attack = ATTACKS[sys.argv.pop(1)]

    def serve(line: Line, nest: Nest) -> None:
        line.send(b"W", b"")
        for said in (b"S", b"K", b"G"):  # one that ends before it is told to begin is broken, whatever it said
            line.receive(said)
        attack(line)

    cell.serve = serve
    zygote.main()


if __name__ == "__main__":
    main()
