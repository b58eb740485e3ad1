"""A server on loopback whose answers wait until they are let go, and which counts what came."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAITS_S = 60.0


class Gates:
    """`came` counts requests by path; one is answered when its path was let go."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self._open: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        gates = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gates.came[self.path] += 1
                gates._open[self.path].wait(WAITS_S)
                with suppress(OSError):
                    self.send_response(204)
                    self.end_headers()

            do_POST = do_GET  # noqa: N815  the library looks for this name

            def log_message(self, format: str, *said: object) -> None:  # noqa: A002  as the library names it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.port = self.server.server_port

    def let(self, *paths: str) -> None:
        for path in paths:
            self._open[path].set()

    def hold(self, path: str) -> None:
        self._open[path].clear()


@contextmanager
def gates() -> Iterator[Gates]:
    made = Gates()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.let(*made._open)
        made.server.shutdown()
        made.server.server_close()
