"""Everything a program can import. What is not imported while the guest is built cannot be imported later.

That is the whole standard library but for what has no place in a cell: screens, installers, Python's own tests.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

from agentos.guests.python import tls

ABSENT = """antigravity this idlelib turtle turtledemo tkinter test lib2to3 ensurepip venv _pyrepl __hello__ __phello__
    _ios_support _android_support _apple_support _aix_support _osx_support""".split()

# Their submodules are imported too: programs write `import os.path`, `import xml.dom.minidom`.
PACKAGES = """asyncio collections compression concurrent concurrent.futures ctypes curses dbm email email.mime encodings
    html http importlib importlib.metadata importlib.resources json logging multiprocessing pathlib profiling re sqlite3
    string sysconfig tomllib unittest urllib wsgiref xml xml.dom xml.etree xml.parsers xml.sax xmlrpc zipfile
    zipfile._path zoneinfo""".split()

missing: dict[str, str] = {}


def load() -> None:
    """Import all of it; `missing` says what this build of Python lacks."""
    sys.modules["ssl"] = tls
    for name in sorted({*sys.stdlib_module_names, *sys.builtin_module_names} - {*ABSENT}):
        _load(name)
    for package in PACKAGES:
        for found in pkgutil.iter_modules(getattr(sys.modules.get(package), "__path__", ()), package + "."):
            if not found.name.endswith(".__main__"):
                _load(found.name)
    _load("agentos.sdk")
    for found in pkgutil.iter_modules(sys.modules["agentos.sdk"].__path__, "agentos.sdk."):
        _load(found.name)


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except BaseException as error:  # some modules of other systems leave by strange doors
        missing[name] = f"{type(error).__name__}: {error}"
