"""Arming: the person's act that lets a program start without them, with the terms of its grants shown."""

from __future__ import annotations

from agentos.events import arming
from agentos.kernel import prompts
from agentos.kernel.ledger import Ledger
from agentos.kernel.runs import Runs
from agentos.v1 import events_pb2 as pb


class Arming:
    def __init__(self, runs: Runs, ledger: Ledger) -> None:
        self._runs, self._questions, self._ledger = runs, runs.questions, ledger

    async def arm(self, request: pb.ArmRequest) -> pb.ArmResponse:
        """Arm it; unless the request is confirmed, say only what that means. Raises Refusal."""
        source, folders, now_ms = request.source, (request.start_folder, request.home_folder), self._runs.now_ms()
        manifest, who = self._runs.read(source, *folders, "", (0, 0))
        armed = arming.armed(
            self._ledger.queue, manifest, source.path, who.digest, folders, source.manifest_path,
            self._ledger.next_id, now_ms,
        )  # fmt: skip
        said = pb.ArmResponse(program=self._questions.program(manifest, who))
        asking = [line for line in said.program.lines if prompts.asks(line)]
        if not request.confirmed and asking:
            said.prompt.CopyFrom(self._questions.lay("", said.program, said.program.lines, who, "you are arming it"))
        elif request.confirmed:
            if request.grant_manifest and asking:
                await self._ledger.durable(self._runs.desk.grant_lines(asking, who))
            await self._ledger.durable(self._ledger.record(*self._runs.unseen(source, who), armed))
            said.program.CopyFrom(self._questions.program(manifest, who))
        return said
