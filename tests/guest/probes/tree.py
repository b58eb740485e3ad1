"""The SDK inside a program, and ordinary modules at ordinary work: no call, and the right answer."""

from __future__ import annotations

from tests.guest.probe import fails, refused, works

PROBES = {
    "sdk read": works("from agentos.sdk import files\nresult = files.read_text('a.txt')", "one\ntwo\nthree\n",
                      "files.read"),
    "sdk write and list": works("from agentos.sdk import files\nfiles.write('n.txt', text='x')\n"
                                "result = [e.name for e in files.list('sub')]", ["c.txt", "deep"],
                                "files.write files.list"),
    "sdk gather": works("from agentos.sdk import files, gather\na, b = gather(files.stat.call('a.txt'), "
                        "files.stat.call('none'))\nresult = [a.size, type(b).__name__]", [14, "NotFound"],
                        "files.stat files.stat"),
    "sdk errors": works("from agentos.sdk import files, Denied\ntry: files.read('/etc/passwd')\nexcept Denied as e: "
                        "result = bool(e.reason and e.hint)", True, "files.read"),
    "sdk errors of open": works("from agentos.sdk import Denied\ntry: open('/etc/passwd')\nexcept Denied as e: "
                                "result = bool(e.reason and e.hint)", True, "files.read"),
    "sdk clock": works("from agentos.sdk import clock\nresult = clock.now().unix_ms", 1767268800000, "clock.now"),
    "sdk of no such action": fails("import agentos.sdk\nagentos.sdk.call('mail.send', {})", "there is no action",
                                   "mail.send"),
    "json": works("import json\nresult = json.loads('{\"a\": [1, 2.5e3, null]}')", {"a": [1, 2500.0, None]}),
    "re": works("import re\nresult = re.findall(r'(\\w+)@(\\w+)', 'a@b c@d')", [["a", "b"], ["c", "d"]]),
    "hashlib": works("import hashlib\nresult = [hashlib.sha256(b'a').hexdigest()[:8], "
                     "hashlib.md5(b'a').hexdigest()[:8], "
                     "hashlib.blake2b(b'a').hexdigest()[:8], hashlib.sha3_256(b'a').hexdigest()[:8]]",
                     ["ca978112", "0cc175b9", "333fcb4e", "80084bf2"]),
    "hashlib.file_digest": works("import hashlib\nresult = hashlib.file_digest(open('empty', 'rb'), 'sha1').hexdigest()"
                                 "[:8]", "da39a3ee", "files.read"),
    "hmac": works("import hmac\nresult = hmac.new(b'k', b'm', 'sha256').hexdigest()[:8]", "b60090e3"),
    "decimal": works("from decimal import Decimal\nresult = str(Decimal('1.1') + Decimal('2.2'))", "3.3"),
    "statistics": works("import statistics\nresult = statistics.median([3, 1, 2])", 2),
    "zlib": works("import zlib\nresult = zlib.decompress(zlib.compress(b'a' * 999)).decode() == 'a' * 999"),
    "xml": works("import xml.etree.ElementTree as e\nresult = e.fromstring('<a><b "
                 "x=\"1\"/></a>').find('b').get('x')", "1"),
    "html.parser": works("import html\nresult = html.unescape('&lt;&eacute;')", "<é"),
    "email": works("import email.message\nm = email.message.EmailMessage()\nm['Subject'] = 'é'\nm.set_content('hi')\n"
                   "result = email.message_from_bytes(m.as_bytes())['Subject'] is not None"),
    "email made": works("from email.utils import make_msgid\nresult = '@' in make_msgid()", True,
                        "clock.now random.bytes"),
    "urllib.parse": works("from urllib.parse import urlsplit, quote\nresult = [urlsplit('http://a/b?c').path, "
                          "quote('é')]",
                          ["/b", "%C3%A9"]),
    "dataclasses": works("from dataclasses import dataclass, asdict\n@dataclass\nclass A:\n    x: int\nresult = "
                         "asdict(A(1))",
                         {"x": 1}),
    "typing": works("from typing import NamedTuple, get_type_hints\nclass A(NamedTuple):\n    x: int\n"
                    "result = list(get_type_hints(A))", ["x"]),
    "enum": works("import enum\nclass C(enum.Enum):\n    A = enum.auto()\nresult = C.A.value", 1),
    "inspect": works("import inspect\ndef f(a, b=1): pass\nresult = str(inspect.signature(f))", "(a, b=1)"),
    "inspect.getsource": works("import inspect\ndef f(a): pass\nresult = inspect.getsource(f)", "def f(a): pass\n"),
    "inspect.getsource of the library": works("import inspect, json\ntry: inspect.getsource(json.dumps)\n"
                                              "except OSError: result = 1", 1),
    "inspect.stack": works("import inspect\nresult = inspect.stack()[0].lineno", 2),
    "textwrap": works("import textwrap\nresult = textwrap.fill('aa bb', 3)", "aa\nbb"),
    "difflib": works("import difflib\nresult = list(difflib.unified_diff(['a'], ['b'], lineterm=''))[-1]", "+b"),
    "struct and array": works("import struct, array\nresult = [struct.unpack('<I', b'\\1\\0\\0\\0')[0], "
                              "array.array('i', [1])[0]]", [1, 1]),
    "unicodedata": works("import unicodedata\nresult = unicodedata.normalize('NFD', 'é').encode().hex()", "65cc81"),
    "functools": works("import functools\n@functools.lru_cache\ndef f(n): return n < 2 or f(n - 1) + f(n - 2)\n"
                       "result = f(30)", 1346269),
    "contextvars": works("import contextvars\nv = contextvars.ContextVar('v', default=1)\nresult = v.get()", 1),
    "weakref.finalize": works("import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'gone')\nresult = "
                              "1", 1,
                              output="gone\n"),
    "shlex": works("import shlex\nresult = shlex.split('a \"b c\"')", ["a", "b c"]),
    "string.Template": works("import string\nresult = string.Template('$a').substitute(a=1)", "1"),
    "encodings": works("[b'\\xe9'.decode(e) for e in ('latin-1', 'cp1252', 'iso8859_15', 'mac_roman')]",
                       ["é", "é", "é", "È"]),
    "idna": works("'münchen.de'.encode('idna').decode()", "xn--mnchen-3ya.de"),
    "big numbers": works("len(str(2 ** 5000))", 1506),
    "ast": works("import ast\nresult = ast.literal_eval('[1, {2: 3}]')[0]", 1),
    "gettext": works("import gettext\nresult = gettext.gettext('hi')", "hi"),
    "netrc": refused("import netrc\nnetrc.netrc()", "/home/me/.netrc", "files.read"),
    "linecache": works("import linecache\nresult = linecache.getline('/etc/passwd', 1)", ""),
}  # fmt: skip
