"""The compiler: one component in, one image out, in a process with limits that compiles nothing else.

A component is hostile input to a large optimiser. Here that costs at most 5 s of CPU and 512 MB, and a compiler
that is taken over holds two descriptors and no rights. Our own guest needs more and is exempt from the numbers.

Arguments: the kernel's pid, a descriptor to read the component from, one to write the image to, and whether it is our
own guest. The answer is one JSON line on standard output: `{}` or `{"error": "why"}`, in our own words.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final

from agentos.kernel.cells import profiles, runtime, turns, walls

MIB: Final = 1 << 20
FOREIGN: Final = walls.Limits(files=16, file_bytes=256 * MIB, data_bytes=512 * MIB, cpu_seconds=5)
OWN: Final = walls.Limits(files=16, file_bytes=1024 * MIB, data_bytes=8192 * MIB, cpu_seconds=900)


def main() -> None:
    """Compile in here, behind walls, and write the image out."""
    parent, source, target, own = (int(word) for word in sys.argv[1:])
    walls.close_descriptors([0, 1, 2, source, target])
    turns.take(turns.LONG_US)
    content = os.pread(source, os.fstat(source).st_size, 0)
    walls.shut_in(profiles.COMPILER, OWN if own else FOREIGN, parent=parent)
    sys.stdout.write(json.dumps(_compile(content, target, threads=bool(own))))
    sys.stdout.flush()


def _compile(content: bytes, target: int, *, threads: bool) -> dict[str, str]:
    try:
        left = memoryview(runtime.compile_component(content, threads=threads))
    except runtime.NotAGuest as wrong:
        return {"error": str(wrong)}
    except MemoryError:
        return {"error": "compiling it takes more time or memory than a guest may need"}
    while left:
        left = left[os.write(target, left) :]
    return {}


if __name__ == "__main__":
    main()
