"""wasmtime, and nothing else: the one module that imports it.

What is known to go wrong, and what is done about it here:

* An exception that leaves a host callback has nowhere to go: `_answer` lets none out.
* A trap leaves a store unusable: an instance is never entered again after one.
* A precompiled image is native code: `Image` takes only what the kernel authenticated, as a sealed descriptor.
* `list<u8>` costs microseconds a byte: everything crosses as strings.
* CPython in Wasm asks for far more stack than wasmtime gives by default, and a deep `repr` or `json.loads` would trap
  where CPython means to raise RecursionError. So the guest has 32 MiB, for which wasmtime wants its (unused) async
  stack to be as large; that setting has no Python name, hence the first reach into the bindings.
* Each call, of the guest and by it, asks for its type again and makes a ctypes class for each string's length: a fifth
  of the time to a program's first line, and two hundred pages written to. The types were checked when the image was
  opened, so `run` and `_answer` hand strings over by themselves: the second reach.

There is neither fuel nor epoch here: RLIMIT_CPU ends a loop, and both would cost a fifth of the speed. What might
differ from machine to machine (the bits of a NaN, relaxed SIMD) is fixed, since a run must replay.
"""

from __future__ import annotations

import ctypes
import re
import resource
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import wasmtime
from wasmtime import _ffi, component

if TYPE_CHECKING:
    _Values = ctypes._Pointer[_ffi.wasmtime_component_val_t]  # noqa: SLF001 (ctypes has no other name for it)

IMPORT: Final = "agentos:guest/kernel"
MAGIC: Final = b"\0asm\x0d\0\x01\0"

_STACK: Final = 32 << 20
_STACK_OF_HOST: Final = 64 << 20
_MODEST_STACK: Final = 2 << 20
_TABLE_ELEMENTS, _INSTANCES, _TABLES, _MEMORIES = 1 << 20, 128, 128, 8

LOST: Final = b'{"error":{"code":"unavailable","reason":"the call was lost","hint":"","detail":""}}'

_NOTHING: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)()
_call: Final = _ffi.dll.wasmtime_component_func_call
_post_return: Final = _ffi.dll.wasmtime_component_func_post_return
_delete: Final = _ffi.dll.wasmtime_component_val_delete

_FRAME: Final = re.compile(r"^ +\d+: +(?:0x[0-9a-f]+ - )?(\S+?)!(.+)$", re.MULTILINE)
_UNNAMED: Final = re.compile(r"<wasm function \d+>")
_STUBS: Final = {
    "wall_clock": "clocks/wall-clock",
    "monotonic_clock": "clocks/monotonic-clock",
    "insecure_seed": "random/insecure-seed",
    "insecure": "random/insecure",
    "random": "random/random",
    "environment": "cli/environment",
    "exit": "cli/exit",
    "stdin": "cli/stdin",
    "stdout": "cli/stdout",
    "stderr": "cli/stderr",
    "terminal_input": "cli/terminal-input",
    "terminal_output": "cli/terminal-output",
    "terminal_stdin": "cli/terminal-stdin",
    "terminal_stdout": "cli/terminal-stdout",
    "terminal_stderr": "cli/terminal-stderr",
    "filesystem_preopens": "filesystem/preopens",
    "filesystem": "filesystem/types",
    "streams": "io/streams",
    "poll": "io/poll",
    "instance_network": "sockets/instance-network",
    "ip_name_lookup": "sockets/ip-name-lookup",
    "tcp_create_socket": "sockets/tcp-create-socket",
    "udp_create_socket": "sockets/udp-create-socket",
    "network": "sockets/network",
    "tcp": "sockets/tcp",
    "udp": "sockets/udp",
}


class NotAGuest(ValueError):
    """The bytes are no component, or one that wants more than a guest may. The message is safe to show."""


class Trapped(Exception):
    """The guest trapped. `reached` is the stub below Python that it came to, or `stack` where that had no end."""

    def __init__(self, reached: str = "") -> None:
        super().__init__(reached)
        self.reached = reached


def engine(*, threads: bool = False) -> wasmtime.Engine:
    """One configuration for compiling and running: an image fits no other. `threads` are for compiling only."""
    config = wasmtime.Config()
    config.parallel_compilation = threads
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.native_unwind_info = False
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd_deterministic = True
    config.max_wasm_stack = _make_room(config)
    return wasmtime.Engine(config)


def _make_room(config: wasmtime.Config) -> int:
    """Raise what limits the guest's stack; returns what it may have."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if 0 <= hard < _STACK_OF_HOST:
        return _MODEST_STACK
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK_OF_HOST, hard))
    _ffi.wasmtime_config_async_stack_size_set(config.ptr(), _STACK_OF_HOST)
    return _STACK


def compile_component(content: bytes, *, threads: bool) -> bytes:
    """The image of a component. Raises NotAGuest for anything that imports more than the kernel's one function."""
    if not content.startswith(MAGIC):
        raise NotAGuest("it is not a WebAssembly component")
    on = engine(threads=threads)
    try:
        compiled = component.Component(on, content)
        kernel_interface(on, compiled)
        return bytes(compiled.serialize())
    except wasmtime.WasmtimeError:
        raise NotAGuest("it is not a valid WebAssembly component") from None


def kernel_interface(on: wasmtime.Engine, compiled: component.Component) -> str:
    """The name (with version) under which the component imports the kernel. Raises NotAGuest for any other shape."""
    kind = compiled.type
    imports = kind.imports(on)
    wrong = sorted(name for name in imports if name.split("@")[0] != IMPORT)
    if wrong:
        shown = ", ".join(re.sub(r"[^a-z0-9:/@._-]", "?", name)[:80] for name in wrong[:4])
        raise NotAGuest(f"it imports {shown}; a guest may import {IMPORT} and nothing else")
    if len(imports) != 1:
        raise NotAGuest(f"a guest imports {IMPORT}, once")
    name, imported = next(iter(imports.items()))
    functions = imported.ty
    if not isinstance(functions, component.ComponentInstanceType) or not _only(functions.exports(on), "invoke"):
        raise NotAGuest(f"{IMPORT} has one function, invoke: func(request: string) -> string")
    run = kind.exports(on).get("run")
    if run is None or not _string_to_string(run.ty):
        raise NotAGuest("it does not export run: func(request: string) -> string")
    return name


def _only(functions: Mapping[str, component._types.ComponentExtern], name: str) -> bool:
    return list(functions) == [name] and _string_to_string(functions[name].ty)


def _string_to_string(kind: component.ComponentItem) -> bool:
    if not isinstance(kind, component.FuncType):
        return False
    taken = [type(each) for _, each in kind.params]
    return taken == [component.String] and isinstance(kind.result, component.String)


class Image:
    """A compiled component, mapped once and instantiated many times. The path must lead to what was authenticated."""

    def __init__(self, path: str) -> None:
        self.engine = engine()
        try:
            self.component = component.Component.deserialize_file(self.engine, path)
        except wasmtime.WasmtimeError:
            raise NotAGuest("the image is not one that this wasmtime made") from None
        self.kernel_name = kernel_interface(self.engine, self.component)


class Instance:
    """One guest. `invoke` is its only import, and may be exchanged. Raises Trapped when its own start traps."""

    def __init__(self, image: Image, memory_bytes: int, invoke: Callable[[str], str]) -> None:
        self.invoke = invoke
        self._import = _ffi.wasmtime_component_func_callback_t(self._answer)  # wasmtime calls it; it must stay
        linker = component.Linker(image.engine)
        with linker.root() as root, root.add_instance(image.kernel_name) as kernel:
            _ffi.wasmtime_component_linker_instance_add_func(
                kernel.ptr(), ctypes.create_string_buffer(b"invoke"), len(b"invoke"), self._import, None, _NOTHING
            )
        self._store = wasmtime.Store(image.engine)
        self.limit(memory_bytes)
        try:
            made = linker.instantiate(self._store, image.component)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
            raise Trapped(reached_by(str(trap))) from None
        found = made.get_func(self._store, "run")
        if found is None:
            raise NotAGuest("it does not export run")
        self._run, self._context = found._func, self._store._context()  # noqa: SLF001 (the second reach)
        self._given = (_ffi.wasmtime_component_val_t * 1)()
        self._got = _ffi.wasmtime_component_val_t()

    def _answer(
        self, data: None, store: object, kind: object, given: _Values, _given: int, got: _Values, _got: int
    ) -> int:  # fmt: skip
        """What wasmtime calls for the import, with one text, for one; 0 says that there is no error."""
        try:
            reply = self.invoke(_text(given[0]).decode()).encode()
        except BaseException:  # noqa: BLE001 (there is nobody above to raise it to)
            reply = LOST
        _set(got[0], reply)
        return 0

    def limit(self, memory_bytes: int) -> None:
        """From here on the guest's memory grows to this much and no further."""
        self._store.set_limits(memory_bytes, _TABLE_ELEMENTS, _INSTANCES, _TABLES, _MEMORIES)

    def run(self, request: bytes) -> bytes:
        """Call the guest's export with a text, and return its own, both as UTF-8. Raises Trapped: it is dead then."""
        given, got = self._given[0], self._got
        _set(given, request)
        run = ctypes.byref(self._run)
        failed = _call(run, self._context, self._given, 1, ctypes.byref(got), 1)
        _delete(ctypes.byref(given))
        failed = failed or _post_return(run, self._context)
        if failed:
            raise Trapped(reached_by(str(wasmtime.WasmtimeError._from_ptr(failed))))  # noqa: SLF001 (the second reach)
        reply = _text(got)
        _delete(ctypes.byref(got))
        return reply


def _text(value: _ffi.wasmtime_component_val_t) -> bytes:
    """A text, as UTF-8: wasmtime hands over no other."""
    return ctypes.string_at(value.of.string.data, value.of.string.size)


def _set(value: _ffi.wasmtime_component_val_t, text: bytes) -> None:
    """Make it a copy of this text, which is wasmtime's from then on."""
    value.kind = _ffi.WASMTIME_COMPONENT_STRING
    string = value.of.string
    _ffi.wasm_byte_vec_new_uninitialized(ctypes.byref(string), len(text))
    ctypes.memmove(string.data, text, len(text))


def reached_by(trap: str) -> str:
    """What a trap reached: a WASI function's stub as `wasi:clocks/wall-clock#now`, `stack` for its end, else nothing.

    A stub has no name, but the libc function that calls it has: wit-bindgen names it by interface and function. So it
    is the first frame with a name, with nothing but unnamed ones above. The answer is made of our own table and of
    `[a-z0-9-]`, never of the message itself.
    """
    if trap.rstrip().endswith("wasm trap: call stack exhausted"):
        return "stack"
    if "`unreachable`" not in trap:
        return ""
    for module, function in _FRAME.findall(trap):
        if not _UNNAMED.fullmatch(function):
            return _stub_name(function) if module == "libc.so" else ""
    return ""


def _stub_name(function: str) -> str:
    for prefix, interface in _STUBS.items():
        rest = function.removeprefix(prefix + "_")
        if rest != function and re.fullmatch(r"[a-z0-9_]{1,48}", rest):
            return f"wasi:{interface}#{rest.replace('_', '-')}"
    return ""
