"""A file of encrypted frames: what a backup is written in, and read from, piece by piece.

    agentos-backup-1 LF  LENGTH HEADER  NONCE  (LENGTH FRAME)…

LENGTH is 4 bytes, big-endian. HEADER is JSON in the clear: how the key is come by. FRAMES are XChaCha20-Poly1305 as
libsodium's secretstream chains them: none can be altered, left out, repeated or moved, and the last says that it is the
last, so that a file which was cut off is not taken for a whole one. The header is associated data of every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from nacl import bindings, exceptions

from agentos.home.keys import HomeError

MAGIC: Final = b"agentos-backup-1\n"
MAX_HEADER: Final = 65_536
MAX_FRAME: Final = 64 << 20
LENGTH: Final = 4
NONCE: Final = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
MORE: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
LAST: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class Writer:
    """Writes header and frames; a file without `end` is none."""

    def __init__(self, file: BinaryIO, key: bytes, header: bytes) -> None:
        self._file, self._header = file, header
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        nonce = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        file.write(MAGIC + len(header).to_bytes(LENGTH, "big") + header + nonce)

    def frame(self, plain: bytes, tag: int = MORE) -> None:
        sealed = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, plain, self._header, tag)
        self._file.write(len(sealed).to_bytes(LENGTH, "big") + sealed)

    def end(self, plain: bytes) -> None:
        self.frame(plain, LAST)


def header(file: BinaryIO) -> bytes:
    """What a backup says in the clear. Raises HomeError where it is none."""
    if file.read(len(MAGIC)) != MAGIC:
        raise HomeError("broken", "this is no backup of a home", "see: agentos backup --help")
    return _exactly(file, _length(file, MAX_HEADER))


def frames(file: BinaryIO, key: bytes, header: bytes) -> Iterator[bytes]:
    """Every frame after the header, in order. Raises HomeError at the first that is not as it was written."""
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, _exactly(file, NONCE), key)
    tag = MORE
    while tag != LAST:
        sealed = _exactly(file, _length(file, MAX_FRAME))
        try:
            plain, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, sealed, header)
        except (exceptions.CryptoError, exceptions.ValueError, exceptions.TypeError, ValueError):
            raise HomeError("broken", "this backup was altered, or the disk it lay on failed", OTHER) from None
        yield plain
    if file.read(1):
        raise HomeError("broken", "there is something behind the end of this backup", OTHER)


OTHER: Final = "take another one"


def _length(file: BinaryIO, most: int) -> int:
    length = int.from_bytes(_exactly(file, LENGTH), "big")
    if length > most:
        raise HomeError("broken", "this backup was altered, or the disk it lay on failed", OTHER)
    return length


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise HomeError("broken", "this backup ends too early: it was cut off", OTHER)
    return found
