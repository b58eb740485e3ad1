"""Imports: all there is was imported when the guest was built. The rest is refused with what to use instead."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, NoReturn

from agentos.guests.python.shims.replace import instead
from agentos.sdk import requests

_WEB = "httpx aiohttp httplib2 pycurl"
_NETWORK = "websocket websockets paramiko boto3 _ssl"
_FETCH = 'under a line such as "net.fetch" = { host = ["example.com"] }'
_TABLES = "numpy pandas polars scipy pyarrow matplotlib seaborn sklearn torch tensorflow"
_FORMS = {
    "yaml": "for settings use tomllib or json",
    "toml": "use tomllib",
    "dotenv": "there is no environment; read the file with open",
    "certifi": "certificates are always checked; leave it out",
    "feedparser": "fetch it with net.get(url) of agentos.sdk, and read it with xml.etree.ElementTree",
    "bs4": "use html.parser or xml.etree.ElementTree",
    "lxml": "use xml.etree.ElementTree",
    "dateutil": "use datetime and zoneinfo",
    "pytz": "use zoneinfo",
    "openpyxl": "an .xlsx is a zip of XML: use zipfile and xml.etree.ElementTree, or ask for .csv",
    "docx": "a .docx is a zip of XML: use zipfile and xml.etree.ElementTree",
    "PIL": "pictures cannot be worked on here",
    "rich": "use print",
    "tqdm": "use print",
    "click": "use argparse",
    "typer": "use argparse",
    "pydantic": "use dataclasses",
    "attr": "use dataclasses",
    "attrs": "use dataclasses",
    "simplejson": "use json",
    "orjson": "use json",
    "ujson": "use json",
    "pytest": "use unittest",
    "openai": "models are reached by a capability of agentos.sdk",
    "anthropic": "models are reached by a capability of agentos.sdk",
    "psutil": "a program sees no other process",
    "ctypes": "a program calls no machine code",
    "fcntl": "a program has no such files; open them with open",
    "pwd": "a program sees no accounts",
    "grp": "a program sees no accounts",
    "resource": "limits are set in the manifest",
    "termios": "there is no terminal; use input",
    "tty": "there is no terminal; use input",
    "pty": "there is no terminal; use input",
    "readline": "there is no terminal; use input",
    "curses": "there is no terminal; use print",
    "tkinter": "there is no screen; use print",
    "turtle": "there is no screen; use print",
    "mmap": "read the file with open",
    "bz2": "use zlib, gzip or zipfile with deflate",
    "lzma": "use zlib, gzip or zipfile with deflate",
    "syslog": "use logging",
    "crypt": "use hashlib and hmac",
    "pip": "nothing is installed from inside a program",
    "setuptools": "nothing is installed from inside a program",
    "google": "generated protocol code has no place here; use json",
    "grpc": "the kernel is reached by agentos.sdk",
}


def _advice(name: str) -> str:
    top = name.partition(".")[0]
    if top in _WEB.split():
        return f"use net.get(url) of agentos.sdk, or requests, {_FETCH}"
    if top in _NETWORK.split():
        return f"a program opens no socket; it fetches with net.get(url) of agentos.sdk, {_FETCH}"
    if top in _TABLES.split():
        return "use csv, statistics, math, array or sqlite3 in memory"
    if top == "agentos":
        return "a program imports agentos.sdk and its capabilities"
    return _FORMS.get(top, "a program has Python's standard library and agentos.sdk, and is one file")


class Absent:
    """The last finder: it has found nothing. No path is looked at and no call made."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> NoReturn:
        reason = f"No module named {name!r}"
        raise ModuleNotFoundError(f"{reason}: {_advice(name)}", name=name)

    @staticmethod
    def invalidate_caches() -> None:
        pass


_find_spec = importlib.util.find_spec


def _find(name: str, package: str | None = None) -> Any:
    """Whether a module can be imported, for programs that ask first."""
    try:
        return _find_spec(name, package)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise


def install() -> None:
    instead(importlib.util, "find_spec", _find)
    sys.modules.update(requests.ALSO_AS)
    sys.meta_path[:] = [Absent]  # type: ignore[list-item]
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
