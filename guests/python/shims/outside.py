"""What no program does: sockets, other programs, signals. Each way is refused in words that say what to do instead."""

from __future__ import annotations

import _signal  # pyright: ignore[reportMissingImports]  # of CPython, where no stub names it
import _socket
import concurrent.futures
import faulthandler
import ftplib
import imaplib
import multiprocessing.context
import multiprocessing.process
import poplib
import select
import selectors
import signal
import smtplib
import socket
import subprocess
from typing import Any, NoReturn

from agentos.guests.python.shims import clock
from agentos.guests.python.shims.failure import refuse
from agentos.guests.python.shims.posix import _no_process
from agentos.guests.python.shims.replace import instead

FETCH = "fetch with net.get(url) of agentos.sdk, requests or urllib.request, under a line such as {line}"
MAIL = "mail is a capability of its own, which this version does not have"


def fetch(host: object = None) -> str:
    """What to do instead, with the line of the manifest for it."""
    named = host if isinstance(host, str) and host.isprintable() and '"' not in host else "example.com"
    return FETCH.format(line=f'"net.fetch" = {{ host = ["{named[:253]}"] }}')


def _no_socket(*_: Any, **__: Any) -> NoReturn:
    refuse("a program opens no socket", fetch())


def _no_connection(address: Any = None, *_: Any, **__: Any) -> NoReturn:
    refuse("a program opens no socket", fetch(address[0] if isinstance(address, tuple) and address else None))


def _no_mail(*_: Any, **__: Any) -> NoReturn:
    refuse("a program opens no connection to a mail server", MAIL)


def _no_ftp(*_: Any, **__: Any) -> NoReturn:
    refuse("a program opens no connection for FTP", "fetch the file over https")


def _no_name(name: Any = None, *_: Any, **__: Any) -> NoReturn:
    refuse("a program looks up no name", fetch(name))


class _Socket(socket.socket):
    """A socket that cannot be made. It is still a type, for those who ask `isinstance`."""

    def __new__(cls, *_: Any, **__: Any) -> NoReturn:
        _no_socket()

    def __init__(self, *_: Any, **__: Any) -> None: ...


def _popen(self: Any, *_: Any, **__: Any) -> NoReturn:
    self._child_created = False
    _no_process()


def _select(reads: Any, writes: Any, excepts: Any, timeout: float | None = None, /) -> tuple[list[Any], ...]:
    if reads or writes or excepts:
        _no_socket()
    if timeout is None:
        raise RuntimeError("the program waits for something that can never happen: nothing else runs beside it")
    clock.sleep(timeout)
    return [], [], []


def _no_dump(*_: Any, **__: Any) -> None:
    """There is nobody to dump to; an uncaught exception has its traceback anyway."""


_handlers: dict[int, Any] = {}


def _signal_(signalnum: int, handler: Any, /) -> Any:
    """Kept, so that a program may clean up after itself in the ordinary way; no signal ever comes."""
    if not callable(handler) and handler not in (_signal.SIG_DFL, _signal.SIG_IGN):
        raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
    before, _handlers[int(signalnum)] = _getsignal(signalnum), handler
    return before


def _getsignal(signalnum: int, /) -> Any:
    usual = signal.default_int_handler if signalnum == _signal.SIGINT else signal.SIG_DFL
    return _handlers.get(int(signalnum), usual)


def _raise_signal(signalnum: int, /) -> None:
    handler = _getsignal(signalnum)
    if callable(handler):
        handler(int(signalnum), None)
    elif handler == _signal.SIG_DFL:
        raise SystemExit(128 + int(signalnum))


def begin() -> None:
    _handlers.clear()


def install() -> None:
    names = "getaddrinfo gethostbyaddr gethostbyname gethostbyname_ex getnameinfo getservbyname getservbyport"
    for name in (*names.split(), "getprotobyname"):
        instead(_socket, name, lambda *given, **__: _no_name(*given))
        instead(socket, name, lambda *given, **__: _no_name(*given))
    for module in (_socket, socket):
        instead(module, "gethostname", lambda: "guest")
        instead(module, "close", _no_socket)
        instead(module, "dup", _no_socket)
        instead(module, "socketpair", _no_socket)
    for name in ("create_server", "fromfd"):
        instead(socket, name, lambda *_, **__: _no_socket())
    instead(socket, "create_connection", lambda *given, **named: _no_connection(*given, **named))
    smtplib.SMTP.__init__ = lambda self, *_, **__: _no_mail()  # type: ignore[method-assign]
    imaplib.IMAP4._create_socket = poplib.POP3._create_socket = lambda self, *_: _no_mail()  # type: ignore[attr-defined]
    ftplib.FTP.connect = lambda self, *_, **__: _no_ftp()  # type: ignore[method-assign]
    instead(socket, "getfqdn", lambda name="": name or "guest")
    socket.socket = socket.SocketType = _Socket  # type: ignore[assignment, misc]
    _Socket.__name__ = _Socket.__qualname__ = "socket"
    _Socket.__module__ = "socket"
    _socket.socket = _socket.SocketType = _Socket  # type: ignore[assignment, misc]
    subprocess.Popen.__init__ = _popen  # type: ignore[method-assign]
    instead(select, "select", _select)
    instead(select, "poll", _no_socket)
    selectors.DefaultSelector.__init__ = lambda self: _no_socket()  # type: ignore[method-assign]
    for name, function in (("signal", _signal_), ("getsignal", _getsignal), ("raise_signal", _raise_signal)):
        instead(_signal, name, function)
        instead(signal, name, function)
    for module in (_signal, signal):
        instead(module, "set_wakeup_fd", lambda fd, *, warn_on_full_buffer=True: -1)
    for name in [name for name in dir(faulthandler) if not name.startswith("__")]:
        instead(faulthandler, name, lambda *_, **__: _no_dump())
    concurrent.futures.ProcessPoolExecutor.submit = lambda self, *_, **__: _no_process()  # type: ignore[method-assign]
    multiprocessing.process.BaseProcess.start = lambda self: _no_process()  # type: ignore[method-assign]
    for name in "Lock RLock Condition Semaphore BoundedSemaphore Event Barrier Queue Pool Manager Value Array".split():
        setattr(multiprocessing.context.BaseContext, name, lambda self, *_, **__: _no_process())
    for name in ("Lock", "Queue", "Pool", "Manager", "Value", "Array", "Event", "RLock"):
        setattr(multiprocessing, name, lambda *_, **__: _no_process())
