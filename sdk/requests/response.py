"""The answer, as `requests` has it."""

from __future__ import annotations

import json
from typing import Any, NoReturn, Self

from agentos.sdk.calls import Reply
from agentos.sdk.errors import AgentError
from agentos.sdk.http import response
from agentos.sdk.http.body import Body, Stream
from agentos.sdk.http.request import Request
from agentos.sdk.requests import exceptions


class _Body(Body):
    """A body that fails as requests says it."""

    def __init__(self, reply: Reply, url: str) -> None:
        super().__init__(reply)
        self._url = url

    def piece(self, length: int = 0) -> bytes:
        try:
            return super().piece(length)
        except exceptions.RequestException:
            raise
        except AgentError as error:
            failed = exceptions.of(error, self._url)
        raise failed


class Response(response.Response):
    """An answer: `status_code`, `headers`, `text`, `content`, `json()`, `iter_content`, `raise_for_status()`."""

    def __init__(self, asked: Request, reply: Reply) -> None:
        super().__init__(asked, reply)
        self.body = _Body(reply, asked.url)

    @property
    def raw(self) -> Stream:
        """The body as a file that is read once."""
        return Stream(self.body)

    @property
    def apparent_encoding(self) -> str:
        """UTF-8 if the body is that; else what most bodies are that are not."""
        try:
            self.content.decode()
        except UnicodeDecodeError:
            return "windows-1252"
        return "utf-8"

    @property
    def elapsed(self) -> NoReturn:
        raise AttributeError("elapsed is not measured here: look at time.monotonic() before and after")

    def json(self, **options: Any) -> Any:
        try:
            return super().json(**options)
        except json.JSONDecodeError as error:
            raise exceptions.JSONDecodeError(error, self) from None

    def raise_for_status(self) -> Self:
        """HTTPError where its status is 400 or more."""
        return super().raise_for_status()

    def _error(self, text: str) -> OSError:
        return exceptions.HTTPError(text, response=self)
