"""Imports: the standard library is there; what is not says what to use instead."""

from __future__ import annotations

from tests.guest.probe import Probe, fails, works

USEFUL = (
    "json csv re math cmath statistics datetime zoneinfo collections itertools functools pathlib glob fnmatch os "
    "shutil tempfile io string textwrap hashlib hmac base64 binascii zlib gzip zipfile tarfile sqlite3 decimal "
    "fractions email html xml urllib http mimetypes logging argparse asyncio contextlib dataclasses enum typing "
    "inspect unittest pprint difflib configparser tomllib uuid secrets random heapq bisect copy pickle struct "
    "array codecs unicodedata calendar locale time timeit traceback types warnings weakref operator queue "
    "threading socket select signal subprocess multiprocessing abc ast dis tokenize token keyword builtins cmd "
    "shlex getopt gettext graphlib ipaddress linecache marshal netrc numbers optparse platform plistlib poplib "
    "profile pstats quopri reprlib sched selectors smtplib imaplib ftplib socketserver stringprep symtable "
    "sysconfig tracemalloc xmlrpc zipapp wave colorsys contextvars cProfile doctest filecmp fileinput getpass "
    "importlib pkgutil runpy modulefinder stat site code codeop webbrowser "
)
DEEP = (
    "os.path collections.abc concurrent.futures email.message email.mime.text email.mime.multipart email.utils "
    "email.header email.policy html.parser html.entities http.client http.server http.cookies http.cookiejar "
    "importlib.util importlib.resources importlib.metadata json.decoder logging.handlers logging.config "
    "multiprocessing.pool unittest.mock urllib.parse urllib.request urllib.error urllib.robotparser "
    "xml.etree.ElementTree xml.dom.minidom xml.sax.saxutils xml.parsers.expat asyncio.subprocess encodings.idna "
    "encodings.cp1252 sqlite3.dump wsgiref.util xmlrpc.client zoneinfo._common pathlib.types string.templatelib "
    "ssl ftplib requests requests.exceptions requests.adapters requests.auth requests.structures requests.cookies "
    "urllib3 urllib3.util.retry agentos.sdk agentos.sdk.files agentos.sdk.net agentos.sdk.requests "
)


def _absent(name: str, says: str) -> Probe:
    return fails(f"import {name}", f"ModuleNotFoundError: No module named '{name}': {says}")


PROBES = {
    **{f"import {name}": works(f"import {name}\nresult = 1", 1) for name in USEFUL.split()},
    **{f"import {name}": works(f"import {name}\nresult = 1", 1) for name in DEEP.split()},
    "httpx": _absent("httpx", "use net.get(url) of agentos.sdk, or requests"),
    "aiohttp": _absent("aiohttp", "use net.get(url) of agentos.sdk, or requests"),
    "certifi": _absent("certifi", "certificates are always checked"),
    "websockets": _absent("websockets", "a program opens no socket"),
    "numpy": _absent("numpy", "use csv, statistics, math, array or sqlite3 in memory"),
    "pandas": _absent("pandas", "use csv"),
    "yaml": _absent("yaml", "for settings use tomllib or json"),
    "_ssl": _absent("_ssl", "a program opens no socket"),
    "ctypes": _absent("ctypes", "a program calls no machine code"),
    "fcntl": _absent("fcntl", "a program has no such files"),
    "crypt": _absent("crypt", "use hashlib and hmac"),
    "tkinter": _absent("tkinter", "there is no screen"),
    "something unheard of": _absent("helpers", "a program has Python's standard library and agentos.sdk, and is one "
                                    "file"),
    "from a module": fails("from httpx import get", "No module named 'httpx'"),
    "a submodule": fails("import json.nothing", "No module named 'json.nothing'"),
    "agentos.kernel": fails("import agentos.kernel", "a program imports agentos.sdk"),
    "a name that is not there": fails("from json import nothing", "ImportError: cannot import name 'nothing'"),
    "caught": works("try: import numpy\nexcept ImportError: result = 1", 1),
    "find_spec": works("import importlib.util as u\nresult = [u.find_spec('numpy'), u.find_spec('json') is not None]",
                       [None, True]),
    "import_module": fails("import importlib\nimportlib.import_module('numpy')", "No module named 'numpy'"),
    "relative": fails("from . import x", "ImportError: attempted relative import"),
    "sys.path": works("import sys\nsys.path.insert(0, '/home/me/x')\ntry: import helpers\nexcept ImportError: result "
                      "= 1", 1),
    "bz2 and lzma": works("n = []\nfor m in ('bz2', 'lzma', '_ssl'):\n    try: __import__(m)\n    except ImportError: "
                          "n.append(m)\nresult = n", ["bz2", "lzma", "_ssl"]),
    "reload": works("import importlib, json\ntry: importlib.reload(json)\nexcept ImportError: pass\n"
                    "result = json.dumps([1])", "[1]"),
    "pkgutil": works("import pkgutil\nresult = list(pkgutil.iter_modules())", []),
    "metadata": fails("import importlib.metadata\nimportlib.metadata.version('agentos')", "PackageNotFoundError"),
    "runpy": fails("import runpy\nrunpy.run_path('/home/me/x/none.py')", "", "files.read"),
}  # fmt: skip
