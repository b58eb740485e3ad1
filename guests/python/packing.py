"""The heap as it is put into the image: without holes.

Importing the whole standard library leaves some megabytes of free pieces between what stays. A new object would go into
such a hole, and each hole lies in another page; so a program that makes four hundred small objects would touch three
hundred and sixty pages, and a cell pays some microseconds and 4 KiB for each page that it is the first to touch. With
every hole filled by something that nobody ever looks at, new objects lie side by side at the end of the heap: the same
four hundred take five pages. The image is no larger for it, since the holes are in it anyway.

The allocator of wasi-libc is dlmalloc, which takes the smallest piece that fits. So the large sizes go first; when an
object of some size comes to lie beyond the end of the heap, no hole of that size is left.
"""

from __future__ import annotations

from collections import deque

LARGEST = 1 << 18
STEP = 16

_kept: deque[bytes] = deque()


def fill() -> None:
    """Fill the holes. Last of all while the component is built; what is freed later makes new ones."""
    end = bytes(LARGEST * 2)
    beyond = id(end)
    for size in _sizes():
        while id(piece := bytes(size)) < beyond:
            _kept.append(piece)


def _sizes() -> list[int]:
    """Lengths of bytes objects, the longest first: by halves down to 4 KiB, then by the allocator's own step."""
    sizes, size = [], LARGEST
    while size > 4096:
        sizes.append(size)
        size -= max(size // 8, STEP)
    return sizes + list(range(4096, 0, -STEP // 2))
