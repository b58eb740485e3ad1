"""Hand-written components: `guest.wat` with different things to do in its one export."""

from __future__ import annotations

from pathlib import Path

import wasmtime

TEMPLATE = (Path(__file__).parent / "guest.wat").read_text()
FULL = "(i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 4)) (i32.const 8)"

BODIES = {
    # Says that it begins, sends its request on to the kernel, and gives back the answer.
    "echo": "(call $begin) (call $invoke (local.get $at) (local.get $length) (i32.const 8)) (i32.const 8)",
    "trap": "(call $begin) (unreachable)",
    "spin": "(call $begin) (loop $ever (br $ever)) (i32.const 8)",
    # Sends what is no request, for ever.
    "pester": "(call $begin) (loop $ever (call $invoke (i32.const 64) (i32.const 4) (i32.const 8)) (br $ever)) "
    "(i32.const 8)",
    "dive": "(drop (call $deep (i32.const 0))) (i32.const 8)",
    # Grows its memory until that is refused, and then says "full".
    "grow": "(block $no (loop $more (br_if $no (i32.eq (memory.grow (i32.const 16)) (i32.const -1))) (br $more))) "
    + FULL,
    # Bulk writes, which no epoch would interrupt.
    "fill": "(drop (memory.grow (i32.const 2000))) "
    "(loop $ever (memory.fill (i32.const 0) (i32.const 7) (i32.const 131072000)) (br $ever)) (i32.const 8)",
    # A request of 16 MiB, made of nothing: more than a frame takes.
    "flood": "(drop (memory.grow (i32.const 256))) (memory.fill (i32.const 4096) (i32.const 97) (i32.const 16777000)) "
    "(call $invoke (i32.const 4096) (i32.const 16777000) (i32.const 8)) (i32.const 8)",
}
# Grows a table until that is refused, and then says "full".
GROWING_TABLE = TEMPLATE.replace("START", "(table $t 1 funcref)")
BODIES["table"] = (
    "(block $no (loop $more (br_if $no (i32.eq (table.grow $t (ref.null func) (i32.const 65536)) (i32.const -1))) "
    "(br $more))) " + FULL
)


def many(count: int, module: str, name: str = "$Many") -> str:
    """A guest with this many instances of one more module."""
    more = f"(core module {name} {module})" + f"(core instance (instantiate {name}))" * count
    return TEMPLATE.replace("(core instance $main", more + "(core instance $main", 1)


SPIN_AT_START = "(func $spin (loop $ever (br $ever))) (start $spin)"


def component(body: str, start: str = "", text: str = TEMPLATE) -> bytes:
    """The bytes of a guest that does this."""
    return bytes(wasmtime.wat2wasm(text.replace("BODY", BODIES[body]).replace("START", start)))
