"""The answer to a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal, Self, overload

from agentos.sdk.calls import Reply
from agentos.sdk.http import text as reading
from agentos.sdk.http.body import Body
from agentos.sdk.http.cookies import Cookies
from agentos.sdk.http.headers import Headers
from agentos.sdk.http.request import Request

REDIRECTS = (301, 302, 303, 307, 308)
PIECE = 64 * 1024


class HTTPError(OSError):
    """What `raise_for_status` raises of an answer from 400 on; `response` is the answer."""

    def __init__(self, text: str, *, response: Response) -> None:
        super().__init__(text)
        self.response = response


class Response:
    """What a host answered: `status`, `headers`, and the body as `content`, `text` or `json()`.

    `url` is what answered at last, and `history` what led there. The body is read on when it is asked for, whole with
    `content`, piece by piece with `iter_content`. As a context manager it hangs up at the end.
    """

    def __init__(self, asked: Request, reply: Reply) -> None:
        self.request, self.url = asked, asked.url
        self.history: list[Response] = []
        self.status = int(reply.get("status", 0))
        self.headers = Headers.from_wire(reply.get("headers", ()))
        self.encoding = reading.charset(self.headers)
        self.body = Body(reply)
        self._content: bytes | None = None

    @property
    def status_code(self) -> int:
        return self.status

    @property
    def reason(self) -> str:
        """What its status is called: Not Found."""
        return HTTPStatus(self.status).phrase if self.status in HTTPStatus._value2member_map_ else ""

    @property
    def ok(self) -> bool:
        """Whether its status is below 400."""
        return self.status < 400

    @property
    def is_redirect(self) -> bool:
        return self.status in REDIRECTS and "Location" in self.headers

    @property
    def cookies(self) -> Cookies:
        """The cookies that this answer sets, and none that were set before. Looks at the clock if there are any."""
        found = Cookies()
        found.take(self.url, self.headers)
        return found

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """What its Link header names, by rel: `response.links["next"]["url"]`."""
        return reading.links(self.headers)

    # ---- the body

    @property
    def content(self) -> bytes:
        """The whole body, decoded where it came compressed. LimitExceeded if it was cut off at its limit."""
        if self._content is None:
            if self.body.begun:
                raise RuntimeError("the body was read piece by piece already, and is read once")
            self._content = self.body.whole()
        return self._content

    @property
    def text(self) -> str:
        """The whole body as text, by the charset of its Content-Type, else UTF-8; what does not fit becomes �."""
        return reading.decoded(self.content, self.encoding)

    def json(self, **options: Any) -> Any:
        """The whole body read as JSON, which is UTF-8, -16 or -32. `json.JSONDecodeError` if it is none."""
        encoding = json.detect_encoding(self.content)
        try:
            text = self.content.decode(encoding)
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError(f"not {encoding}", "", error.start) from None
        return json.loads(text, **options)

    @overload
    def iter_content(self, chunk_size: int | None = ..., decode_unicode: Literal[False] = ...) -> Iterator[bytes]: ...
    @overload
    def iter_content(self, chunk_size: int | None = ..., *, decode_unicode: Literal[True]) -> Iterator[str]: ...
    def iter_content(self, chunk_size: int | None = PIECE, decode_unicode: bool = False) -> Iterator[Any]:
        """The body in pieces of at most `chunk_size` bytes, None as they come; with `decode_unicode` as text.

        LimitExceeded after the last piece of a body that was cut off at its limit.
        """
        pieces = self._pieces(chunk_size or 0)
        return self._decoded(pieces) if decode_unicode else pieces

    @overload
    def iter_lines(
        self, chunk_size: int | None = ..., decode_unicode: Literal[False] = ..., delimiter: bytes | None = ...
    ) -> Iterator[bytes]: ...
    @overload
    def iter_lines(
        self, chunk_size: int | None = ..., *, decode_unicode: Literal[True], delimiter: str | None = ...
    ) -> Iterator[str]: ...
    def iter_lines(
        self, chunk_size: int | None = None, decode_unicode: bool = False, delimiter: Any = None
    ) -> Iterator[Any]:
        """The lines of the body, each as soon as it is there, without their ends; with `decode_unicode` as text."""
        pieces: Iterator[Any] = self._pieces(chunk_size or 0)
        kept: Any = "" if decode_unicode else b""
        for piece in self._decoded(pieces) if decode_unicode else pieces:
            *whole, kept = reading.lines(kept + piece, delimiter)
            yield from whole
        if kept:
            yield kept

    def _pieces(self, size: int) -> Iterator[bytes]:
        if self._content is not None:
            step = size or len(self._content) or 1
            yield from (self._content[at : at + step] for at in range(0, len(self._content), step))
            return
        while piece := self.body.piece(size):
            yield piece

    def _decoded(self, pieces: Iterator[bytes]) -> Iterator[str]:
        decoder = reading.decoder(self.encoding)
        for piece in pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", True)

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_content()

    # ---- what becomes of it

    def raise_for_status(self) -> Self:
        """HTTPError where its status is 400 or more; else itself."""
        if not self.ok:
            raise self._error(f"{self.status} {self.reason}".rstrip() + f" for {self.request.method} {self.url}")
        return self

    def _error(self, text: str) -> OSError:
        return HTTPError(text, response=self)

    def close(self) -> None:
        """Hang up. What was not read of the body is given up."""
        self.body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.status}]>"
