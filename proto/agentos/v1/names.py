"""The one form of a host, a mail address or any other text that a request names; or `BadName`.

Here belongs what says whether a text has one reading. Paths have a module of their own, `paths`; what the text is then
compared with is said in `matchers`.

A name is refused, never repaired, where a person could be shown one thing and another thing be opened: invisible
characters, letters that a resolver maps to others that look alike, numbers that it would read as addresses, quoted
mail names. What differs in spelling alone is written in one way: a host in lower case and as its xn-- form, an address
as its standard writes it, and an IPv4 address inside IPv6 as the IPv4 address that it reaches.
"""

from __future__ import annotations

import ipaddress
import unicodedata

_EXACT_BYTES = 4096
_HOST_BYTES = 253
_MAIL_BYTES = 254

# Default_Ignorable_Code_Point beyond category Cf: drawn as nothing, so two names could look like one.
_INVISIBLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x3164, 0xFFA0))
) | frozenset(map(chr, range(0xFE00, 0xFE10)))
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._+-'=&~#")


class BadName(ValueError):
    """A name or pattern that has no canonical form. Its message is one line, safe to show, and says what is wrong."""


def visible(text: str, most: int, what: str) -> str:
    """The text itself, if it is not empty, not too long, and each of its characters can be seen."""
    if not text:
        raise BadName(f"{what} is empty")
    if len(text) > most:
        raise BadName(f"{what} is longer than {most} bytes")
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _INVISIBLE:
            raise BadName(f"{what} has a control or invisible character, U+{ord(character):04X}")
    if len(text.encode()) > most:
        raise BadName(f"{what} is longer than {most} bytes")
    return text


def exact(text: str) -> str:
    return visible(text, _EXACT_BYTES, "the value")


def port(text: str) -> str:
    if not (text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= 5 and int(text) <= 65_535):
        raise BadName("a port is a number from 1 to 65535")
    return text


# ---- hosts


def host(text: str) -> str:
    """The ASCII form of a host name, or the canonical form of an address. No port, no user, no trailing dot."""
    visible(text, _HOST_BYTES, "the host")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        return _address(bare)
    name = text if text.isascii() else _to_ascii(text)
    labels = name.lower().split(".")
    if _reads_as_number(labels[-1]):
        return _address(text)
    for label in labels:
        if not label or len(label) > 63 or not _LABEL.issuperset(label) or "-" in (label[0], label[-1]):
            raise BadName("not a host name: letters, digits, `-` and dots, without port, path or user")
    if len(name) > _HOST_BYTES:
        raise BadName(f"the host is longer than {_HOST_BYTES} bytes")
    return ".".join(labels)


def _reads_as_number(label: str) -> bool:
    """Whether a resolver takes a name that ends in this label for an address (WHATWG URL, "ends in a number")."""
    return label.isdigit() or (label[:2] == "0x" and all(c in "0123456789abcdef" for c in label[2:]))


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadName("not a host: write an address as 192.0.2.1 or 2001:db8::1, without port") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            raise BadName("an address with a zone is not allowed")
        return str(address.ipv4_mapped or address)
    return str(address)


def _to_ascii(text: str) -> str:
    """Its xn-- form. What the mapping would change to something that looks alike is refused, not mapped."""
    composed = unicodedata.normalize("NFC", text)
    if unicodedata.normalize("NFKC", composed) != composed or any(c in "ßẞς。" for c in composed):
        raise BadName("the host has characters with more than one reading: write its xn-- form")
    try:
        return composed.lower().encode("idna").decode("ascii")
    except UnicodeError:
        raise BadName("not a host name: write its xn-- form") from None


# ---- mail addresses


def mail(text: str) -> str:
    """One plain address in lower case."""
    local, _, after = visible(text, _MAIL_BYTES, "the address").rpartition("@")
    return f"{_local(local.lower())}@{domain(after)}"


def _local(local: str) -> str:
    if not local or len(local) > 64 or not _LOCAL.issuperset(local) or "" in local.split("."):
        raise BadName("not one plain mail address: name@example.com, without display name, quotes or comments")
    return local


def domain(text: str) -> str:
    """What stands behind the @ of an address."""
    name = host(text)
    if ":" in name or name.rpartition(".")[2].isdigit():
        raise BadName("a mail address ends in a name, not in a number")
    return name
