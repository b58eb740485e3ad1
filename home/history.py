"""What else the journal holds: programs, runs, answers, capabilities and secrets, as far as no call depends on them.

The path of a call knows the records of `records` alone. Here is the union of all kinds, and their encoding.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from agentos.home.chain import JournalBroken
from agentos.home.happenings import (
    Armed,
    Delivered,
    Disarmed,
    EventsForgotten,
    Happened,
    Heard,
    Listens,
    Replayed,
    Switched,
)
from agentos.home.records import CallMade, CallSettled, Denial, Fault, Grant, Revoked


class ProgramSeen(msgspec.Struct, frozen=True, tag="program"):
    """A program at a version that had not run here before. Content above 1 MiB is kept by digest alone."""

    digest: str
    path: str
    name: str
    content: bytes
    manifest: bytes
    run: str = ""


class RunBegan(msgspec.Struct, frozen=True, tag="run.began"):
    """A run was accepted."""

    run: str
    program: str
    path: str
    digest: str
    start_folder: str
    home_folder: str
    arguments: tuple[str, ...]
    input: str
    queued_us: int
    # A control_pb2.Ask, and the file that its manifest stands in where that is not its own.
    ask: int = 0
    manifest_path: str = ""
    terminal: tuple[int, int] = (0, 0)
    # The event that started it; empty where a person did.
    event: str = ""
    # Of a child: the programs above it, nearest first, the most its limits may be, and where its parent had read from.
    above: tuple[str, ...] = ()
    within: tuple[int, ...] = ()
    outside: tuple[str, ...] = ()
    # Of one that an event started: so many runs and events led to it.
    hops: int = 0


class CallUnknown(msgspec.Struct, frozen=True, tag="call.unknown"):
    """Nobody can tell whether this call happened; its run waits until the person says so, or a CallSettled does."""

    run: str
    seq: int
    at_ms: int


class CallAgain(msgspec.Struct, frozen=True, tag="call.again"):
    """The person said of an unknown call that it did not happen: it may be sent, once more. `spent`: it is now."""

    run: str
    seq: int
    spent: bool = False


class RunParked(msgspec.Struct, frozen=True, tag="run.parked"):
    """A run left memory until this time, in unix milliseconds; then it comes back by replay."""

    run: str
    until_ms: int
    # The event that it waits for, if it does, and the fields that this must have, each with its value as JSON.
    event: str = ""
    fields: tuple[tuple[str, str], ...] = ()


class RunContinued(msgspec.Struct, frozen=True, tag="run.continued"):
    """A generation of a run ended and the next began, in this one record: neither is without the other.

    The calls up to `seq` were the ones before's, `output` is what the one that ended had printed, `outside` where it
    had read from.
    """

    run: str
    generation: int
    seq: int
    state: str
    at_ms: int
    output: str = ""
    output_cut: bool = False
    outside: tuple[str, ...] = ()


class Pinned(msgspec.Struct, frozen=True, tag="run.pinned"):
    """What a run is a function of, beside its input and replies: the digests of component and code object."""

    run: str
    component: str
    code: str = ""


class RunEnded(msgspec.Struct, frozen=True, tag="run.ended"):
    """The end of a run. `status` is a control_pb2.RunStatus; times are unix microseconds, 0 where not reached."""

    run: str
    status: int
    result: str
    output: str
    output_cut: bool
    calls: int
    refused: int
    cell_us: int
    first_line_us: int
    ended_us: int
    fault: Fault | None = None
    traceback: str = ""
    # It has no manifest and made calls: there is one to suggest.
    offered: bool = False


class PromptAnswered(msgspec.Struct, frozen=True, tag="answer"):
    """The person's answer, bound to the digest of what was shown: (line, choice) for each decided line."""

    run: str
    prompt: str
    digest: str
    decisions: tuple[tuple[int, int], ...]
    # The digests of the calls behind its lines, of a call prompt.
    calls: tuple[str, ...] = ()
    # What was refused to a program that nobody watches, each by program, action and bounds: twice ends the asking.
    refused: tuple[str, ...] = ()


class CapabilityAdded(msgspec.Struct, frozen=True, tag="capability.added"):
    """The person registered a capability that lives in this folder, as it was then (hex digest of its files)."""

    folder: str
    name: str
    digest: str
    run: str = ""


class CapabilityRemoved(msgspec.Struct, frozen=True, tag="capability.removed"):
    name: str
    run: str = ""


class SecretSet(msgspec.Struct, frozen=True, tag="secret.set"):
    """The person set a secret: where it goes, and the key of its value in the vault. The value is never recorded."""

    name: str
    key: str
    places: tuple[str, ...]
    header: str
    form: str
    at_ms: int
    run: str = ""


class SecretRemoved(msgspec.Struct, frozen=True, tag="secret.removed"):
    name: str
    run: str = ""


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten"):
    """The content of this run was erased, calls and all; what it had used is summed up to here.

    `uses` says (grant, uses, last used) of each grant it called under, as they are at this place in the journal:
    whoever folds it needs none of the calls, and whoever had folded them already loses nothing.
    """

    run: str
    uses: tuple[tuple[str, int, int], ...]
    at_ms: int
    # The events that began it, whose content was erased with it.
    events: tuple[str, ...] = ()


Record = (
    Grant | Denial | Revoked | ProgramSeen | RunBegan | Pinned | CallMade | CallSettled | PromptAnswered | RunEnded
    | CapabilityAdded | CapabilityRemoved | SecretSet | SecretRemoved | Forgotten
    | CallUnknown | CallAgain | RunParked | RunContinued | Armed | Disarmed | Switched | Happened | Delivered | Replayed
    | Listens | Heard | EventsForgotten
)  # fmt: skip


class Ledger(Protocol):
    """The journal, as those need it who record more than calls."""

    def record(self, *records: Record) -> int:
        """Append as one unit and fold; returns the sequence number. Never waits."""
        ...

    async def durable(self, seq: int) -> None:
        """Returns when all up to this record is on disk."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def entry(record: Record) -> tuple[str, str, bytes]:
    """A record as the journal takes it: kind, run and body."""
    return str(record.__struct_config__.tag), record.run, _encoder.encode(record)


def decode(body: bytes) -> Record:
    """Raises JournalBroken for a kind of record that is none of ours: the chain vouches that a home wrote it."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        reason = "this home holds records that a newer Agent OS wrote"
        raise JournalBroken(reason, "update Agent OS", "newer") from None
