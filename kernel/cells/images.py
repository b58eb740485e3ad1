"""Images: components compiled to native code, kept sealed, handed out as descriptors that nobody can change.

An image is code that runs in every cell, so nothing is mapped that the kernel did not make. The image of a person's
program is kept as XChaCha20-Poly1305 under a key of the home, with what it was made from and for as associated data.
Our own guest is no secret, and opening it must not take 200 ms: its image lies in the clear with an HMAC under the same
key over the same. A truncated or altered file, another component, another wasmtime or another machine all fail the
same way, and cost one compilation. What is opened goes into a sealed memfd, so that what is mapped is what was
authenticated.

Where there is no memfd (macOS), an unlinked file of mode 0600 takes its place: our own user could still write to it.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import hmac
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from nacl import bindings, exceptions

from agentos.kernel.cells.spawn import hear_out

TAG: Final = 32
NONCE: Final = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
COMPILE_WITHIN_S: Final = 30
COMPILE_OWN_WITHIN_S: Final = 900
MAGIC: Final = b"\0asm\x0d\0\x01\0"
# The descriptors by which a compiler knows the component and the image.
_SOURCE, _TARGET = 3, 4


class BadComponent(Exception):
    """The bytes are not a guest that can run. `reason` is safe to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Image(msgspec.Struct, frozen=True):
    """A compiled component: the hex SHA-256 of the component, and a sealed memfd with its native code.

    `own` is our own guest, whose cells are warmed. Who takes the image closes the descriptor.
    """

    digest: str
    descriptor: int
    own: bool


class Images:
    """The cache. `notice` is told, in words, when a file in it was not what it should be."""

    def __init__(
        self, folder: Path, key: bytes, notice: Callable[[str], None] = lambda text: None,
        compiler: Callable[[bytes, bool], Awaitable[bytes]] | None = None,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._key = key
        self._notice = notice
        self._compiler = compiler or compile_component

    async def open(self, content: bytes, own: bool) -> Image:
        """The image of a component, from the cache or compiled now. Raises BadComponent."""
        if not content.startswith(MAGIC):
            raise BadComponent("it is not a WebAssembly component")
        return await asyncio.to_thread(self._cached, content, own) or await self._compiled(content, own)

    def _cached(self, content: bytes, own: bool) -> Image | None:
        digest, kind, file = self._place(content, own)
        try:
            descriptor = self._checked(file, kind) if own else sealed(self._unseal(file, kind))
        except OSError:
            return None
        except (exceptions.CryptoError, ValueError, TypeError):
            self._notice("an image in the cache was altered; it is compiled anew")
            return None
        return Image(digest, descriptor, own)

    async def _compiled(self, content: bytes, own: bool) -> Image:
        code = await self._compiler(content, own)
        return await asyncio.to_thread(self._keep, content, code, own)

    def _place(self, content: bytes, own: bool) -> tuple[str, bytes, Path]:
        digest = hashlib.sha256(content).hexdigest()
        machine = f"{platform.system()} {platform.machine()} {_features()}"
        kind = f"{digest} wasmtime {version('wasmtime')} {_settings()} {machine}"
        return (
            digest,
            kind.encode(),
            self._folder / f"{hashlib.sha256(kind.encode()).hexdigest()[:32]}.{'own' if own else 'image'}",
        )

    def _unseal(self, file: Path, kind: bytes) -> bytes:
        raw = file.read_bytes()
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(raw[NONCE:], kind, raw[:NONCE], self._key)

    def _checked(self, file: Path, kind: bytes) -> int:
        """Copy an image that is in the clear, and take the copy if its tag, at the end of the file, is right."""
        with file.open("rb") as source:
            left = os.fstat(source.fileno()).st_size - TAG
            mac, descriptor = self._mac(kind), _memory_file("image")
            while left > 0 and (portion := source.read(min(left, 1 << 20))):
                mac.update(portion)
                _write(descriptor, portion)
                left -= len(portion)
            if left == 0 and hmac.compare_digest(mac.digest(), source.read(TAG + 1)):
                return _seal(descriptor)
        os.close(descriptor)
        raise ValueError("altered")

    def _mac(self, kind: bytes) -> hmac.HMAC:
        return hmac.new(hmac.digest(self._key, b"own image\0" + kind, "sha256"), digestmod="sha256")

    def _protected(self, kind: bytes, code: bytes, own: bool) -> tuple[bytes, bytes]:
        """What goes into the file, in two parts."""
        if own:
            mac = self._mac(kind)
            mac.update(code)
            return code, mac.digest()
        nonce = os.urandom(NONCE)
        return nonce, bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(code, kind, nonce, self._key)

    def _keep(self, content: bytes, code: bytes, own: bool) -> Image:
        digest, kind, file = self._place(content, own)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, fresh = tempfile.mkstemp(dir=self._folder, suffix=".new")
            with os.fdopen(descriptor, "wb") as out:
                out.writelines(self._protected(kind, code, own))
            Path(fresh).replace(file)
        except OSError:
            self._notice("the image cache cannot be written; it will be compiled again next time")
        return Image(digest, sealed(code), own)


def _settings() -> str:
    """What the runtime asks of wasmtime, which an image must fit: the digest of the module that says it."""
    return hashlib.sha256(Path(__file__).with_name("runtime.py").read_bytes()).hexdigest()[:16]


def _features() -> str:
    """What of the processor native code may depend on, as a digest: a home that moves machines compiles anew."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:16]


def _memory_file(name: str) -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


def sealed(code: bytes) -> int:
    """A descriptor of memory that holds these bytes and can never be written again."""
    descriptor = _memory_file("image")
    _write(descriptor, code)
    return _seal(descriptor)


def _write(descriptor: int, portion: bytes) -> None:
    held = memoryview(portion)
    while held:
        held = held[os.write(descriptor, held) :]


def _seal(descriptor: int) -> int:
    if hasattr(os, "memfd_create"):
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


async def compile_component(content: bytes, own: bool) -> bytes:
    """Compile in a limited process of its own. Raises BadComponent."""
    source, target = sealed(content), _memory_file("code")
    try:
        said = await _run_compiler(source, target, own)
        if "error" in said:
            raise BadComponent(said["error"])
        return os.pread(target, os.fstat(target).st_size, 0)
    finally:
        os.close(source)
        os.close(target)


async def _run_compiler(source: int, target: int, own: bool) -> dict[str, str]:
    """What the compiler says. Raises BadComponent where a limit ended it."""
    words = (os.getpid(), _SOURCE, _TARGET, int(own))
    command = [sys.executable, "-I", "-B", "-m", "agentos.kernel.cells.compiler", *map(str, words)]
    within_s = COMPILE_OWN_WITHIN_S if own else COMPILE_WITHIN_S
    try:
        out, _ = await hear_out(command, {_SOURCE: source, _TARGET: target}, within_s)
        return msgspec.json.decode(out, type=dict[str, str])
    except TimeoutError:
        raise BadComponent("compiling it takes too long") from None
    except msgspec.DecodeError:
        raise BadComponent("compiling it takes more time or memory than a guest may need") from None
