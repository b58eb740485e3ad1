"""Pages that are made to hurt whoever parses them, each as large as the server still takes. Made when asked for."""

from __future__ import annotations

from collections.abc import Callable

SIZE = (4 << 20) - 1024
WORDS = "<p>" + "The tide turned in the night, and by the morning all the boats had gone out to sea. " * 4 + "</p>"


def whole(body: str, head: str = "") -> bytes:
    return f"<!doctype html><html><head><title>Owls</title>{head}</head><body>{body}</body></html>".encode()


def filled(piece: str, size: int = SIZE) -> str:
    return piece * (size // len(piece))


def laughs() -> bytes:
    """A billion laughs, should anybody expand what a document type declares."""
    grows = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE html [<!ENTITY l0 "lol">{grows}]><html><body><p>&l9;</p>{WORDS}</body></html>'.encode()


def outside() -> bytes:
    """Asks for a file and a host, should anybody resolve what it names."""
    entities = (
        '<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY h SYSTEM "http://127.0.0.1:9/"><!ENTITY % p SYSTEM "x">%p;'
    )
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    head = '<link rel="stylesheet" href="file:///etc/passwd"><script src="http://127.0.0.1:9/"></script>'
    body = f"<p>&f;&h;</p>{include}{WORDS}"
    return f"<!DOCTYPE html [{entities}]><html><head>{head}</head><body>{body}</body></html>".encode()


# What is read, as far as there is something to read, and well within its time.
READ: dict[str, Callable[[], bytes]] = {
    "laughs": laughs,
    "outside": outside,
    "attributes": lambda: whole("<p " + " ".join(f"a{n}=1" for n in range(3000)) + ">x</p>" + WORDS),
    "one attribute, many times": lambda: whole("<p " + filled("a=1 ") + ">x</p>" + WORDS),
    "one long attribute": lambda: whole(f'<a href="/{"a" * SIZE}">x</a>' + WORDS),
    "nested": lambda: whole("<div>" * 100_000 + WORDS),
    "nested tables": lambda: whole("<table><tr><td>" * 50_000 + WORDS),
    "nested lists": lambda: whole("<ul><li>x" * 50_000),
    "crossing tags": lambda: whole("<b><p><i></b></p><a></i>" * 10_000 + WORDS),
    "one long word": lambda: whole("<p>" + "a" * SIZE),
    "only blanks": lambda: whole("<p>" + " " * SIZE),
    "only line ends": lambda: whole("<p>" + "\n" * SIZE),
    "only digits": lambda: whole("<p>" + "1" * SIZE),
    "only dates": lambda: whole("<p>" + filled("2020-01-01 ")),
    "only entities": lambda: whole("<p>" + filled("&amp;")),
    "names of no entity": lambda: whole("<p>" + filled("&zzzz")),
    "a script without an end": lambda: whole("<script>" + "x" * SIZE),
    "a comment without an end": lambda: whole(WORDS + "<!--" + "-" * SIZE),
    "a tag without an end": lambda: whole(WORDS + "<p " + "/" * SIZE),
    "nested JSON": lambda: whole(WORDS, '<script type="application/ld+json">' + "[" * 1_000_000 + "</script>"),
    "a long author": lambda: whole(WORDS, '<meta name="author" content="' + filled("by a, ", 1 << 20) + '">'),
    "a long title": lambda: whole(WORDS, "<title>" + filled("a | ", 1 << 20) + "</title>"),
    "NULs": lambda: whole(WORDS.replace(" ", "\0")),
    "controls": lambda: whole(WORDS.replace(" ", "\x1b\x7f\x01")),
    "half a character": lambda: whole(WORDS) + b"\xf0\x9f",
    "surrogates": lambda: whole(WORDS) + b"\xed\xa0\x80\xed\xb0\x80&#xd800;&#x110000;&#0;",
}

# What is refused as too large, before a tree of it is built or just after.
TOO_MUCH: dict[str, Callable[[], bytes]] = {
    "tags": lambda: whole(filled("<p>x")),
    "tags that are none": lambda: b"<" * SIZE,
    "nothing but ends": lambda: filled("</div></p>").encode(),
    "elements": lambda: whole(filled('<a href="/1">x</a>', 120_000 * 18)),
    "a huge table": lambda: whole("<table>" + filled("<tr><td>1<td>2<td>3")),
}


def attributes() -> bytes:
    """A parser compares each attribute of a tag with all others. No Python runs meanwhile."""
    return whole("<p " + " ".join(f"a{n}=1" for n in range(400_000)) + ">x</p>")
