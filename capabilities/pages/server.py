"""The pages capability: what a web page says, from its bytes alone.

HTML of strangers is parsed here, so this process has nothing: no network, no folder, no keeps, 512 MiB, and one page
at a time with a few seconds of processor for it (`turns`). What cannot be read in that time and room ends as a typed
limit. The libraries are imported before it listens, so that the first page does not pay for them out of its time.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from agentos.capabilities.pages import plain, reading
from agentos.capabilities.pages.reading import Page
from agentos.capabilities.pages.turns import Turns
from agentos.capabilities.server import Capability, Context, Limit
from agentos.v1 import pages_pb2 as pb

MOST_HTML = 4 << 20
MOST_URL = 8192


class Pages(Capability):
    service: ClassVar[str] = "agentos.v1.PagesService"

    async def start(self) -> None:
        self._turns = Turns()
        self._turns.look_after(asyncio.get_running_loop())

    async def extract(self, request: pb.PagesExtractRequest, context: Context) -> pb.PagesExtractResponse:
        if len(request.html) > MOST_HTML:
            raise Limit(f"a page may have {MOST_HTML >> 20} MiB", "read its beginning: html[: 4 * 2**20]", "too_large")
        url = request.url if len(request.url) <= MOST_URL else ""
        page = await self._turns.take(context.run, lambda: reading.read(request.html, url, request.charset))
        return reply(page)


def reply(page: Page) -> pb.PagesExtractResponse:
    """What was read, without a character that is not seen and no longer than one reply should be."""
    text, cut = plain.paragraphs(page.text)
    return pb.PagesExtractResponse(
        title=plain.line(page.title),
        text=text,
        links=[pb.PageLink(url=link.url, text=link.text) for link in page.links],
        author=plain.line(page.author),
        date=plain.line(page.date),
        description=plain.line(page.description, 2000),
        site=plain.line(page.site),
        language=page.language,
        cut=cut or page.cut,
    )
