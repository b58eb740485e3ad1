"""A server with a network in an attacker's hands: `read` does to the machine what the name of the file says."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable

from agentos.capabilities.files.server import Files
from agentos.capabilities.server import Context, NotFound, serve
from agentos.v1 import files_pb2 as pb

# Made while that was allowed, as a library might have: can it be turned to another end?
PAIR = socket.socketpair()
MADE = socket.socket(socket.AF_INET)


def connect_to_a_path(path: str) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path)


def connect_from_another_thread(path: str) -> None:
    failed: list[OSError] = []

    def try_it() -> None:
        try:
            connect_to_a_path(path)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def connect_a_used_socket(path: str) -> None:
    PAIR[0].shutdown(socket.SHUT_RDWR)
    PAIR[1].close()
    PAIR[0].connect(path)


def connect_a_socket_that_listens(path: str) -> None:
    for fd in range(256):
        try:
            found = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        if found.family == socket.AF_UNIX and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.connect(path)
            return
    raise FileNotFoundError


def address_a_path_from_the_internet(path: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    address = socket.AF_UNIX.to_bytes(2, "little") + path.encode() + b"\0"
    if libc.connect(MADE.fileno(), address, len(address)):
        raise OSError(ctypes.get_errno(), "connect")


def pair(path: str) -> None:
    socket.socketpair()


def listen(path: str) -> None:
    MADE.listen()


def serve_on_a_port(path: str) -> None:
    socket.create_server(("127.0.0.1", 0))


def connect_abroad(path: str) -> None:
    socket.create_connection(("127.0.0.1", int(path)), 2).close()


class Abroad(Files):
    def read(self, request: pb.FilesReadRequest, context: Context) -> pb.FilesReadResponse:
        act: Callable[[str], None] | None = globals().get(request.path.rpartition("/")[2])
        if act is None:
            raise NotFound("no such attack")
        try:
            act(request.if_version)
        except OSError as refused:
            return pb.FilesReadResponse(text=f"refused: {refused.errno}")
        return pb.FilesReadResponse(text="it worked")


if __name__ == "__main__":
    serve(Abroad())
