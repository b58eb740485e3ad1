"""Text in an answer: the charset of a body, the lines of it, and the links of a Link header."""

from __future__ import annotations

import codecs
import re
from email.message import Message
from typing import Any

from agentos.sdk.http.headers import Headers

_LINK = re.compile(r"<([^>]*)>([^,<]*(?:\"[^\"]*\"[^,<]*)*)")
_PARAMETER = re.compile(r";\s*([\w*-]+)\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))")


def charset(headers: Headers) -> str:
    """The charset that Content-Type names, as it names it; else utf-8."""
    return named_charset(headers) or "utf-8"


def named_charset(headers: Headers) -> str:
    """The charset that Content-Type names, as it names it; empty where it names none."""
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    named = message.get_param("charset", "")
    return named.strip("'\" ") if isinstance(named, str) else ""


def codec(encoding: str | None) -> codecs.CodecInfo:
    """The codec of a charset; one that is not known, or that is none of text, is read as UTF-8."""
    try:
        bytes(4).decode(encoding or "utf-8")  # an empty one would be decoded without a look at the charset
        return codecs.lookup(encoding or "utf-8")
    except (LookupError, ValueError):
        return codecs.lookup("utf-8")


def decoder(encoding: str | None) -> codecs.IncrementalDecoder:
    """What reads a body in this charset piece by piece."""
    try:
        return codecs.getincrementaldecoder(codec(encoding).name)("replace")
    except LookupError:  # a few codecs have none
        return codecs.getincrementaldecoder("utf-8")("replace")


def decoded(content: bytes, encoding: str | None) -> str:
    """Text as it is meant: without the mark that some begins with, and with � for what does not fit."""
    name = codec(encoding).name
    return content.decode("utf-8-sig" if name == "utf-8" else name, "replace")


def lines(text: Any, delimiter: Any = None) -> list[Any]:
    """The lines of a piece of a body, and what stands behind the last line end."""
    if delimiter:
        return list(text.split(delimiter))
    ends: Any = ("\n", "\r") if isinstance(text, str) else (b"\n", b"\r")
    *whole, rest = text.split(ends[0])
    return [*(line.removesuffix(ends[1]) for line in whole), rest]


def links(headers: Headers) -> dict[str, dict[str, str]]:
    """What a Link header names, by its rel: {"next": {"url": …, "rel": "next"}}."""
    found: dict[str, dict[str, str]] = {}
    for url, rest in _LINK.findall(headers.get("Link", "")):
        link = {"url": url} | {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        found[link.get("rel") or url] = link
    return found
