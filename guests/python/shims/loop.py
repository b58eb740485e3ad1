"""asyncio without sockets: an event loop that has nothing to wait for but time, and waits by `clock.sleep`.

The loop's own clock does not read the kernel's (a loop looks at it several times a step): it goes on by what was slept,
and never falls behind the latest reading the program itself made.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events, events, runners
from typing import Any, NoReturn

from agentos.guests.python.shims import clock, outside
from agentos.guests.python.shims.failure import refuse


class _Waiting:
    """The selector of a loop that has no sockets."""

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the program waits for something that can never happen: nothing else runs beside it")
        if timeout > 0:
            clock.sleep(timeout)
        return []

    def close(self) -> None:
        pass


class Loop(base_events.BaseEventLoop):
    """The loop of a program."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Waiting()

    def time(self) -> float:
        return clock.latest_ns() / 1e9

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """There is one thread: the function runs now."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            future.set_exception(RuntimeError(f"function raised StopIteration: {error}"))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass

    async def getaddrinfo(self, host: Any, *_: Any, **__: Any) -> NoReturn:
        _no_network(host)

    async def create_connection(self, factory: Any, host: Any = None, *_: Any, **__: Any) -> NoReturn:
        _no_network(host)

    async def create_server(self, *_: Any, **__: Any) -> NoReturn:
        _no_network()

    async def create_datagram_endpoint(self, *_: Any, **__: Any) -> NoReturn:
        _no_network()

    async def subprocess_exec(self, *_: Any, **__: Any) -> NoReturn:
        refuse("a program starts no other program", "do it in Python; for files use open, shutil and os")

    async def subprocess_shell(self, *_: Any, **__: Any) -> NoReturn:
        refuse("a program starts no other program", "do it in Python; for files use open, shutil and os")


def _no_network(host: Any = None) -> NoReturn:
    refuse("a program opens no socket", outside.fetch(host))


class _Policy(events._BaseDefaultEventLoopPolicy):  # type: ignore[name-defined, misc]
    _loop_factory = Loop


def install() -> None:
    events._event_loop_policy = _Policy()  # type: ignore[attr-defined]
    events._set_event_loop_policy(events._event_loop_policy)  # type: ignore[attr-defined]
    asyncio.SelectorEventLoop = Loop  # type: ignore[attr-defined, assignment, misc]
    asyncio.EventLoop = Loop  # type: ignore[attr-defined, assignment, misc]
    runners.events.new_event_loop = events.new_event_loop  # type: ignore[attr-defined]
