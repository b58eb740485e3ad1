"""What the end of a cell means for its run. Pure; what the guest says is read as hostile text."""

from __future__ import annotations

import msgspec

from agentos.home.records import Fault
from agentos.kernel.cells.pool import Ending
from agentos.kernel.replay import Diverged
from agentos.kernel.wire import CODES as CODE_NAMES
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

MAX_RESULT = 1 << 20
STATUS = {
    "done": pb.RUN_STATUS_DONE,
    "failed": pb.RUN_STATUS_FAILED,
    "refused": pb.RUN_STATUS_REFUSED,
    "limit": pb.RUN_STATUS_LIMIT,
}
CODES = {name: code for code, name in CODE_NAMES.items()}
LIMIT = error_pb2.CODE_LIMIT
STOPPED = {
    "cancelled": (pb.RUN_STATUS_CANCELLED, Fault(error_pb2.CODE_UNAVAILABLE, "cancelled")),
    "wall": (pb.RUN_STATUS_LIMIT, Fault(LIMIT, "it ran longer than its wall limit", "raise limits = { wall = … }")),
    "tree": (
        pb.RUN_STATUS_LIMIT,
        Fault(
            LIMIT,
            "it and the runs of its tree used more than the CPU limit that they share",
            "raise limits = { cpu = … } of the program that started them",
        ),
    ),
    "calls": (
        pb.RUN_STATUS_LIMIT,
        Fault(
            LIMIT,
            "it went on calling beyond its limit",
            "raise limits = { calls = … }, or begin anew: run.continue_with",
        ),
    ),
    "kept": (
        pb.RUN_STATUS_LIMIT,
        Fault(LIMIT, "as many of its calls are on record as are kept", "begin anew in time: run.continue_with(state)"),
    ),
    "journal": (
        pb.RUN_STATUS_FAILED,
        Fault(error_pb2.CODE_UNAVAILABLE, "nothing could be recorded", "make room on the disk", "disk_full"),
    ),
    "diverged": (
        pb.RUN_STATUS_FAILED,
        Fault(error_pb2.CODE_INVALID, "it went another way than before", "", "diverged"),
    ),
}


class GuestEnd(msgspec.Struct):
    """What a guest's `run` returns: hostile until it is read here."""

    status: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    out: list[tuple[int, str]] = []
    error: dict[str, str] = {}
    traceback: str = ""


def diverged(found: Diverged) -> Fault:
    """Both calls: the one on record, and what was asked for in its place."""
    made = found.made
    reason = (
        f"call {made.seq} was {made.action} {made.args[:200]} before it was cut off, and is {found.asked[:300]} now"
    )
    hint = "a program must ask for the same each time it is played: nothing may come from what differs"
    return Fault(error_pb2.CODE_INVALID, reason, hint, "diverged")


def of(ending: Ending, stopped: str) -> tuple[pb.RunStatus.ValueType, Fault | None, GuestEnd]:
    """A run's status, what went wrong, and what its guest said. `stopped` is why we ended it; empty if we did not."""
    nothing = GuestEnd("failed")
    if stopped:
        return *STOPPED[stopped], nothing
    if ending.how == "cpu":
        fault = Fault(error_pb2.CODE_LIMIT, "it used more than its CPU limit", "raise limits = { cpu = … }")
        return pb.RUN_STATUS_LIMIT, fault, nothing
    if ending.how == "trapped" and ending.reached == "stack":
        fault = Fault(error_pb2.CODE_LIMIT, "it went deeper than its stack", "nest less, or make a list of what to do")
        return pb.RUN_STATUS_LIMIT, fault, nothing
    if ending.how == "trapped" and ending.reached:
        reason = f"the program reached below Python for {ending.reached}, which is not there"
        return pb.RUN_STATUS_REFUSED, Fault(error_pb2.CODE_DENIED, reason, "use the SDK or plain Python"), nothing
    if ending.how != "returned":
        reason = "the program broke its guest" if ending.how == "trapped" else "the cell ended before the program did"
        return pb.RUN_STATUS_FAILED, Fault(error_pb2.CODE_UNAVAILABLE, reason, "run it again"), nothing
    try:
        end = msgspec.json.decode(ending.reply, type=GuestEnd)
        status = STATUS[end.status]
    except (msgspec.MsgspecError, KeyError):
        fault = Fault(error_pb2.CODE_INVALID, "the guest did not say how the program ended")
        return pb.RUN_STATUS_FAILED, fault, nothing
    if status == pb.RUN_STATUS_DONE:
        if len(bytes(end.result)) > MAX_RESULT:
            fault = Fault(error_pb2.CODE_LIMIT, "its result is larger than 1 MiB", "write it to a file instead")
            return pb.RUN_STATUS_LIMIT, fault, end
        return status, None, end
    words = {name: str(end.error.get(name, ""))[:2000] for name in ("reason", "hint", "detail")}
    return status, Fault(CODES.get(end.error.get("code", ""), error_pb2.CODE_INVALID), **words), end
