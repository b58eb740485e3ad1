"""A kernel's control service, spoken over its Unix socket with the home's credential.

grpc is imported here and nowhere else in the shell, and only when a kernel is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

# Before grpc is loaded: no log lines of its own between ours, and no handlers around our own child processes.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
from google.protobuf.message import Message

from agentos.shell.failure import CODES, EXITS, Exit, Failure, no_kernel
from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc, error_pb2

if TYPE_CHECKING:
    from agentos.v1 import events_pb2_grpc, statistics_pb2_grpc

SECONDS = 30.0
_LARGEST = 64 << 20
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.max_send_message_length", _LARGEST),
    ("grpc.enable_http_proxy", 0),
)

Response = TypeVar("Response", bound=Message)


class Kernel:
    """One kernel to talk to. `local` is False where its files are not this machine's."""

    def __init__(self, socket: str, token: str, local: bool = True) -> None:
        self.local = local
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        self.stub = control_pb2_grpc.ControlServiceStub(self._channel)

    @cached_property
    def events(self) -> events_pb2_grpc.EventsServiceStub:
        from agentos.v1 import events_pb2_grpc

        return events_pb2_grpc.EventsServiceStub(self._channel)

    @cached_property
    def statistics(self) -> statistics_pb2_grpc.StatisticsServiceStub:
        from agentos.v1 import statistics_pb2_grpc

        return statistics_pb2_grpc.StatisticsServiceStub(self._channel)

    def show(self, run: str) -> pb.ShowRunResponse:
        """A run by its id, or the last, with its calls."""
        return self.call(self.stub.ShowRun, pb.ShowRunRequest(run=run))

    def call(self, method: Callable[..., Response], request: Message, seconds: float = SECONDS) -> Response:
        """One call and its answer. Raises Failure with the kernel's own reason and next step."""
        try:
            return method(request, metadata=self._metadata, timeout=seconds)
        except grpc.RpcError as error:
            raise failure(error) from None

    def stream(self, method: Callable[..., Iterator[Response]], request: Message, seconds: float) -> Iterator[Response]:
        """One call and each of its answers. Raises Failure like `call`."""
        try:
            yield from method(request, metadata=self._metadata, timeout=seconds)
        except grpc.RpcError as error:
            raise failure(error) from None

    def run(self, request: pb.RunRequest) -> Events:
        """Start a run and follow it."""
        return Events(self.stub.Run(request, metadata=self._metadata))

    def follow(self, run: str) -> Events:
        """Follow a run that is under way already."""
        stream = self.stub.Follow(pb.FollowRequest(run=run), metadata=self._metadata)
        return Events(Following(stream))

    def close(self) -> None:
        self._channel.close()


class Responses(Protocol):
    """What grpc gives for a stream; its own type has no public name."""

    def __iter__(self) -> Iterator[pb.RunResponse]: ...

    def cancel(self) -> bool: ...


class Following:
    """What happens to a run, for one more who follows it."""

    def __init__(self, stream: Iterator[pb.FollowResponse] | grpc.Call) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[pb.RunResponse]:
        return (each.event for each in self._stream)  # type: ignore[union-attr]  # it is both

    def cancel(self) -> bool:
        return bool(self._stream.cancel())  # type: ignore[union-attr]  # it is both


class Events:
    """What happens in a run, one by one. Hanging up cancels the run, unless it is detached."""

    def __init__(self, stream: Responses) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[pb.RunResponse]:
        try:
            yield from self._stream
        except grpc.RpcError as error:
            raise failure(error) from None

    def hang_up(self) -> None:
        self._stream.cancel()


def failure(error: Exception) -> Failure:
    """The kernel's typed error; where there is none, the kernel itself is the trouble."""
    trailing: Iterable[tuple[str, str | bytes]] = ()
    if isinstance(error, grpc.Call):
        trailing = error.trailing_metadata() or ()
    for key, value in trailing:
        if key == "agentos-error-bin" and isinstance(value, bytes):
            said = error_pb2.Error.FromString(value)
            code = CODES[said.code] if 0 <= said.code < len(CODES) else "invalid"
            return Failure(said.reason, said.hint, EXITS.get(code, Exit.FAILED), code)
    status = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    match status:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return no_kernel("the kernel did not answer in time", "see: agentos doctor")
        case grpc.StatusCode.UNAUTHENTICATED:
            return no_kernel("the kernel does not take this home's credential", "agentos down, then agentos up")
        case grpc.StatusCode.UNKNOWN | grpc.StatusCode.INTERNAL:
            return Failure("the kernel failed at this", "a fault of ours: please report it", Exit.FAILED, "unavailable")
        case grpc.StatusCode.UNIMPLEMENTED:
            return no_kernel("the kernel that runs is of another version", "agentos down, then agentos up")
        case _:
            return no_kernel("the connection to the kernel was lost", "start it again: agentos up")
