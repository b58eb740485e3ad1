"""Images: what is compiled, what is refused, and that nothing is run that we did not make."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import psutil
import pytest
import uvloop
import wasmtime

from agentos.kernel import control
from agentos.kernel.cells.images import COMPILE_WITHIN_S, BadComponent, Image, Images
from agentos.kernel.cells.pool import Cells, NoCells
from agentos.kernel.cells.spawn import hear_out
from tests.cells.components import TEMPLATE, component
from tests.cells.conftest import KEY

OTHER = '(component (import "wasi:cli/environment@0.2.0" (instance (export "get" (func (result string))))))'
TWO = TEMPLATE.replace("(core module $Memory", '(import "agentos:guest/other" (instance))\n  (core module $Memory', 1)
OTHER_FUNCTION = '(component (import "agentos:guest/kernel@1.0.0" (instance (export "peek" (func (result string))))))'
INVOKE = '(export "invoke" (func (param "request" string) (result string)))'
NO_RUN = f'(component (import "agentos:guest/kernel@1.0.0" (instance {INVOKE})))'
BYTES_RUN = TEMPLATE.replace('(func (export "run") (param "request" string) (result string)', (
    '(func (export "run") (param "request" (list u8)) (result string)'
))  # fmt: skip


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text.replace("BODY", "(i32.const 8)").replace("START", "")))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "not a WebAssembly component", id="nothing"),
        pytest.param(b"\0asm\x01\0\0\0", "not a WebAssembly component", id="a core module"),
        pytest.param(b"\x7fELF" + bytes(64), "not a WebAssembly component", id="a precompiled image"),
        pytest.param(b"\0asm\x0d\0\x01\0" + bytes(range(256)), "not a valid WebAssembly component", id="junk"),
        pytest.param(wasm(OTHER), "imports wasi:cli/environment@0.2.0", id="wasi"),
        pytest.param(wasm(TWO), "imports agentos:guest/other", id="one import more"),
        pytest.param(wasm(OTHER_FUNCTION), "one function, invoke", id="another function"),
        pytest.param(wasm(NO_RUN), "does not export run", id="no run"),
        pytest.param(wasm(BYTES_RUN), "does not export run", id="run takes bytes"),
        pytest.param(wasm("(component)"), "a guest imports", id="no import"),
    ],
)
async def test_what_is_not_a_guest_is_refused_in_plain_words(images: Images, content: bytes, reason: str) -> None:
    with pytest.raises(BadComponent) as refused:
        await images.open(content, own=False)
    assert reason in refused.value.reason
    assert "/" not in refused.value.reason.replace("agentos:guest/", "").replace("wasi:cli/", "")


async def test_a_compile_bomb_ends_with_its_process(images: Images) -> None:
    """One function with two hundred live values, all mixed up: a megabyte that allocates registers for ever."""
    mixed = "".join(
        f"(local.set {at % 200} (i32.rotl (local.get {at * 7 % 200}) (local.get {at * 13 % 200})))"
        for at in range(150_000)
    )
    bomb = bytes(wasmtime.wat2wasm(f"(component (core module (func (param {'i32 ' * 200}) {mixed})))"))
    began = time.monotonic()
    with pytest.raises(BadComponent) as refused:
        await images.open(bomb, own=False)
    # By its CPU, or on a machine that has little of it to spare by the clock.
    assert refused.value.reason.startswith("compiling it takes")
    assert time.monotonic() - began < COMPILE_WITHIN_S + 10


def test_no_process_is_forked_off_the_one_that_holds_the_keys(tmp_path: Path) -> None:
    forks: list[str] = []
    os.register_at_fork(before=lambda: forks.append("fork"))

    async def compile_and_try_the_walls() -> None:
        os.close((await Images(tmp_path, KEY).open(component("echo"), own=False)).descriptor)
        assert [wall for wall in await control.walls() if wall.held]

    uvloop.run(compile_and_try_the_walls())
    assert forks == []


async def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await hear_out([sys.executable, "-c", "print('on', flush=True); import signal; signal.pause()"], {}, 0.3)
    assert not [child for child in psutil.Process().children() if "signal.pause" in " ".join(child.cmdline())]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


async def opened(folder: Path, notices: list[str], *, own: bool = False) -> Image:
    return await Images(folder, KEY, notices.append).open(component("echo"), own=own)


async def test_an_image_is_kept_and_not_compiled_again(tmp_path: Path) -> None:
    notices: list[str] = []
    first = await opened(tmp_path, notices)
    (file,) = files(tmp_path)
    kept = file.stat().st_mtime_ns
    second = await opened(tmp_path, notices)
    assert (first.digest, file.stat().st_mtime_ns, notices) == (second.digest, kept, [])
    assert os.pread(first.descriptor, 1 << 24, 0) == os.pread(second.descriptor, 1 << 24, 0)
    assert file.stat().st_mode & 0o777 == 0o600
    os.close(first.descriptor)
    os.close(second.descriptor)


@pytest.mark.parametrize("own", [True, False], ids=["our own guest", "a program"])
@pytest.mark.parametrize(
    "harm", ["truncated", "altered", "longer", "emptied", "of another component", "under another key"]
)
async def test_an_image_that_is_not_ours_is_noticed_and_compiled_again(tmp_path: Path, harm: str, own: bool) -> None:
    notices: list[str] = []
    good = await opened(tmp_path, notices, own=own)
    (file,) = files(tmp_path)
    raw: bytes = file.read_bytes()
    if harm == "of another component":
        os.close((await Images(tmp_path, KEY).open(component("trap"), own=own)).descriptor)
        raw = next(other for other in files(tmp_path) if other != file).read_bytes()
    elif harm == "under another key":
        elsewhere = tmp_path / "elsewhere"
        os.close((await Images(elsewhere, bytes(32)).open(component("echo"), own=own)).descriptor)
        raw = files(elsewhere)[0].read_bytes()
    flipped = raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:]
    harmed = {"truncated": raw[:-100], "altered": flipped, "longer": raw + b"\0", "emptied": b""}
    file.write_bytes(harmed.get(harm, raw))
    again = await opened(tmp_path, notices, own=own)
    assert os.pread(again.descriptor, 1 << 24, 0) == os.pread(good.descriptor, 1 << 24, 0)
    assert notices == ["an image in the cache was altered; it is compiled anew"]
    os.close(good.descriptor)
    os.close(again.descriptor)


async def test_the_image_of_a_program_is_not_on_disk_in_the_clear(tmp_path: Path) -> None:
    image = await opened(tmp_path, [])
    code = os.pread(image.descriptor, 1 << 24, 0)
    os.close(image.descriptor)
    assert code[:64] not in files(tmp_path)[0].read_bytes()


async def test_an_image_cannot_be_written_once_it_is_open(images: Images) -> None:
    image = await images.open(component("echo"), own=False)
    for write in (
        lambda: os.pwrite(image.descriptor, b"\xcc", 0),
        lambda: os.ftruncate(image.descriptor, 0),
        lambda: fcntl.fcntl(image.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    ):
        with pytest.raises(OSError, match="not permitted"):
            write()
    os.close(image.descriptor)


async def test_a_cache_that_cannot_be_written_costs_a_compilation_and_a_notice(tmp_path: Path) -> None:
    notices: list[str] = []
    (tmp_path / "file").write_text("in the way")
    os.close((await opened(tmp_path / "file" / "images", notices)).descriptor)
    assert notices == ["the image cache cannot be written; it will be compiled again next time"]


async def test_native_code_that_wasmtime_did_not_make_starts_no_zygote() -> None:
    descriptor = os.memfd_create("image")
    os.write(descriptor, b"\x7fELF" + bytes(8192))
    with pytest.raises(NoCells):
        await Cells.start(Image("", descriptor, own=False))
