"""From bytes to text, as a browser would: by a byte order mark, by the answer's charset, by the page's own word for it.

Only charsets of the web are known. Python's other codecs are no charsets (`unicode_escape`), were given up for their
dangers (`utf-7`), or take a time that grows with the square of the text (`punycode`, `idna`).
"""

from __future__ import annotations

import codecs
import re

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DECLARED = re.compile(rb"<meta[^>]{0,500}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([a-zA-Z0-9_:.-]{1,40})", re.IGNORECASE)
_LOOKED_AT = 4096
# By Python's name for it. A browser reads Latin-1 as windows-1252, which has a character more for every control.
_WEB = {
    *("utf-8", "utf-16-le", "utf-16-be", "gbk", "gb18030", "big5", "euc_jp", "iso2022_jp", "shift_jis", "cp932"),
    *("euc_kr", "cp949", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp866", "cp874", "tis-620"),
    *(f"cp125{page}" for page in range(9)),
    *(f"iso8859-{part}" for part in range(2, 17)),
}
_READ_AS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gbk", "iso8859-9": "cp1254", "utf-16": "utf-16-le"}


def decoded(html: bytes, named: str) -> str:
    """The page as text. What does not fit becomes U+FFFD; without any charset UTF-8 is tried, then windows-1252."""
    for mark, name in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(name, "replace")
    declared = _DECLARED.search(html[:_LOOKED_AT])
    for label in (named, declared[1].decode() if declared else ""):
        if name := known(label):
            # A page that can be read for its declaration is in no UTF-16, whatever it declares.
            return html.decode("utf-8" if name.startswith("utf-16") and label != named else name, "replace")
    try:
        return html.decode()
    except UnicodeDecodeError:
        return html.decode("cp1252", "replace")


def known(label: str) -> str:
    """The codec of a charset of the web; empty for any other."""
    label = label.strip().lower()
    if not label.isascii() or len(label) > 40 or "\0" in label:
        return ""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    name = _READ_AS.get(name, name)
    return name if name in _WEB else ""
