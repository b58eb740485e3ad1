"""Arming: the person's act that lets a program start without them, with the terms of its grants shown."""

from __future__ import annotations

from agentos.events import arming
from agentos.kernel.ledger import Ledger
from agentos.runs import prompts
from agentos.runs.runs import Runs
from agentos.v1 import events_pb2 as pb


async def arm(runs: Runs, ledger: Ledger, request: pb.ArmRequest) -> pb.ArmResponse:
    """Arm a program; unless the request is confirmed, say only what that means. Raises Refusal."""
    manifest, who = runs.intake.read(request.source, request.start_folder, request.home_folder, "", (0, 0))
    armed = arming.armed(ledger.queue, manifest, request, who.digest, ledger.next_id, runs.now_ms())
    said = pb.ArmResponse(program=runs.questions.program(manifest, who))
    asking = [line for line in said.program.lines if prompts.asks(line)]
    if not request.confirmed and asking:
        said.prompt.CopyFrom(runs.questions.lay("", said.program, said.program.lines, who, "you are arming it"))
    elif request.confirmed:
        if request.grant_manifest and asking:
            await ledger.durable(runs.desk.grant_lines(asking, who))
        await ledger.durable(ledger.record(*runs.intake.unseen(request.source, who), armed))
        said.program.CopyFrom(runs.questions.program(manifest, who))
    return said
