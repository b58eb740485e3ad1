"""The control service: what the person's shell may ask of the kernel. Grants come from here and nowhere else.

Every call must carry the credential from the home's runtime folder, which no server, zygote or cell can read; a
path socket alone does not keep a confined process out. The service translates; what is asked is done elsewhere.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc

from agentos.events.service import Events
from agentos.home import generations, pruning
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.records import Fault, Revoked
from agentos.home.refusal import Refusal
from agentos.kernel import standing, views
from agentos.kernel.cells.spawn import hear_out
from agentos.kernel.ledger import Past
from agentos.manifest import suggest
from agentos.runs import provenance
from agentos.runs.arming import arm
from agentos.runs.run import Run as ActiveRun
from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc, error_pb2

if TYPE_CHECKING:
    from agentos.kernel.serve import Kernel
    from agentos.v1.control_pb2_grpc import _ServicerContext as Context

    Handler = grpc.RpcMethodHandler[bytes, bytes]

T = TypeVar("T")
VERSION = "0.1.0"
MAX_TYPED = 64 << 10
STATUS = {
    error_pb2.CODE_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    error_pb2.CODE_NEEDS_APPROVAL: grpc.StatusCode.PERMISSION_DENIED,
    error_pb2.CODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    error_pb2.CODE_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    error_pb2.CODE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    error_pb2.CODE_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
}


class Credential(grpc.aio.ServerInterceptor):
    """Refuses every call that does not carry the credential."""

    def __init__(self, token: str) -> None:
        self._wanted = f"Bearer {token}".encode()

    async def intercept_service(  # type: ignore[override]  # the stub's handler is generic in each call's types
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]], details: grpc.HandlerCallDetails
    ) -> Handler:
        given = dict(details.invocation_metadata or ()).get("authorization", "")
        if hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._wanted):
            return await continuation(details)
        return grpc.unary_unary_rpc_method_handler(_unauthenticated)


async def _unauthenticated(request: bytes, context: Context) -> NoReturn:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the home's credential is missing")  # pyright: ignore[reportGeneralTypeIssues]  # the stub has two bases


async def _done(work: Awaitable[T], context: Context) -> T:
    """What was asked for, or the typed error of why it cannot be."""
    try:
        return await work
    except Refusal as refusal:
        await abort(context, refusal.fault)
    except (JournalFull, JournalBroken) as wrong:
        await abort(context, unrecorded(wrong))


def unrecorded(wrong: JournalFull | JournalBroken) -> Fault:
    detail = "disk_full" if isinstance(wrong, JournalFull) else ""
    return Fault(error_pb2.CODE_UNAVAILABLE, wrong.reason, wrong.hint, detail)


async def abort(context: Context, fault: Fault) -> NoReturn:
    error = views.fault(fault) or error_pb2.Error()
    trailing = (("agentos-error-bin", error.SerializeToString()),)
    context.set_trailing_metadata(trailing)
    await context.abort(STATUS[error.code], fault.reason)  # pyright: ignore[reportGeneralTypeIssues]  # the stub has two bases


class Control(control_pb2_grpc.ControlServiceServicer):
    def __init__(self, kernel: Kernel, stop: asyncio.Event) -> None:
        self._kernel = kernel
        self._stop = stop

    # ---- the kernel itself

    async def Status(self, request: pb.StatusRequest, context: Context) -> pb.StatusResponse:
        kernel = self._kernel
        cells = kernel.loader.python
        return pb.StatusResponse(
            version=VERSION, pid=os.getpid(), home=str(kernel.home), started_ms=kernel.started_ms,
            cells_ready=cells.ready if cells else 0, cells_busy=cells.busy if cells else 0, leaves=kernel.leaves,
            runs_active=len(kernel.runs.active), prompts_open=len(kernel.desk.open), standing_still=self._still(),
        )  # fmt: skip

    def _still(self) -> error_pb2.Error | None:
        try:
            self._kernel.ledger.room()
        except JournalFull as full:
            return views.fault(unrecorded(full))
        return None

    async def Shutdown(self, request: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:
        self._kernel.locking = request.lock
        self._stop.set()
        return pb.ShutdownResponse()

    async def Unlock(self, request: pb.UnlockRequest, context: Context) -> pb.UnlockResponse:
        return pb.UnlockResponse()  # it is

    async def Doctor(self, request: pb.DoctorRequest, context: Context) -> pb.DoctorResponse:
        kernel, home = self._kernel, str(self._kernel.home)
        guest = pb.Guest(path=str(kernel.guest), digest=kernel.loader.guest_digest, imports=["agentos:guest/kernel"])
        return pb.DoctorResponse(walls=await walls(), pid=os.getpid(), guest=guest, version=VERSION, home=home)

    # ---- programs and runs

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        try:
            shown = self._kernel.runs.explain(request.source, request.start_folder, request.home_folder)
        except Refusal as refusal:
            await abort(context, refusal.fault)
        return pb.ExplainResponse(program=shown)

    async def Run(self, request: pb.RunRequest, context: Context) -> AsyncIterator[pb.RunResponse]:
        try:
            run = self._kernel.runs.accept(request)
            feed = run.feed
        except Refusal as refusal:
            await abort(context, refusal.fault)
        except (JournalFull, JournalBroken) as wrong:
            await abort(context, unrecorded(wrong))
        try:
            while (event := await feed.next()) is not None:
                yield event
        finally:
            run.followed = run.followed and run.feed is not feed
            if run.id in self._kernel.runs.active and request.ask != pb.ASK_WAIT and run.feed is feed:
                self._kernel.runs.cancel(run)

    async def Follow(self, request: pb.FollowRequest, context: Context) -> AsyncIterator[pb.FollowResponse]:
        roster, past, missed = self._kernel.runs.roster, await self._known(request.run, context), False
        while past.end is None:
            run = roster.active.get(past.began.run)
            missed = run is None
            if run is None:  # it waits, and is not in memory
                await roster.news(past.began.run)
            else:
                feed = run.follow()
                try:
                    while (event := await feed.next()) is not None:
                        yield pb.FollowResponse(event=event)
                finally:
                    run.followed = run.followed and run.feed is not feed
                if not run.left:  # or somebody else follows it now
                    return
            past = await self._known(past.began.run, context)
        shown = self._view(past)
        if missed and shown.output:  # it was back and over in between
            output = pb.Output(stream=1, text=shown.output)
            yield await self._shown(pb.FollowResponse(event=pb.RunResponse(output=output)))
        yield await self._shown(pb.FollowResponse(event=pb.RunResponse(ended=shown)))

    async def SettleCall(self, request: pb.SettleCallRequest, context: Context) -> pb.SettleCallResponse:
        await _done(self._kernel.runs.settle(request), context)
        return pb.SettleCallResponse()

    async def ListUnknown(self, request: pb.ListUnknownRequest, context: Context) -> pb.ListUnknownResponse:
        kernel, found = self._kernel, pb.ListUnknownResponse()
        for run, seq in sorted((run, seq) for run, calls in kernel.ledger.unknown.items() for seq in calls):
            past, each = kernel.ledger.past(run), kernel.ledger.recorded(run).get(seq)
            if past and each:
                shown = views.call(each.made, None, kernel.catalog)
                found.calls.append(pb.Unknown(run=run, program=past.began.program, path=past.began.path, call=shown))
        return await self._shown(found)

    async def Type(self, request: pb.TypeRequest, context: Context) -> pb.TypeResponse:
        run = await self._active(request.run, context)
        if len(request.text.encode()) > MAX_TYPED:
            reason = f"a line is at most {MAX_TYPED >> 10} KiB"
            await abort(context, Fault(error_pb2.CODE_LIMIT, reason, "put what is longer into a file", "too_large"))
        run.typed.put_nowait(None if request.end else request.text)
        return pb.TypeResponse()

    async def Cancel(self, request: pb.CancelRequest, context: Context) -> pb.CancelResponse:
        if request.run in self._kernel.ledger.open and request.run not in self._kernel.runs.active:
            await _done(self._kernel.runs.end_away(request.run), context)
        else:
            self._kernel.runs.cancel(await self._active(request.run, context))
        return pb.CancelResponse()

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        kernel = self._kernel
        recent = reversed(kernel.ledger.recent.values())
        chosen = [past for past in recent if not request.active_only or past.end is None]
        return await self._shown(pb.ListRunsResponse(runs=[self._view(past) for past in chosen[: request.limit or 50]]))

    async def ShowRun(self, request: pb.ShowRunRequest, context: Context) -> pb.ShowRunResponse:
        kernel = self._kernel
        past = await self._known(request.run, context)
        calls, shown = list(kernel.ledger.calls(past.began.run)), pb.ShowRunResponse(run=self._view(past))
        newest = chosen = generations.newest(past.began, past.continued)
        if request.generation or request.with_generations:
            entries = kernel.ledger.journal.entries(run=past.began.run, kinds=generations.KINDS)
            listed, found, calls = await generations.read(entries, request.generation or newest.number)
            if found is None:
                reason = f"there is no generation {request.generation}"
                hint = f"its generations are 1 to {newest.number}"
                await abort(context, Fault(error_pb2.CODE_NOT_FOUND, reason, hint))
            chosen = found
            shown.generations.extend(views.generation(each, False) for each in listed)
        shown.generation.CopyFrom(views.generation(chosen, True))
        shown.calls.extend(views.call(made, settled, kernel.catalog) for made, settled in calls)
        carried = past.continued.outside if past.continued else ()
        before = provenance.places((*past.began.outside, *carried), kernel.catalog)
        shown.run.outside.extend(dict.fromkeys((*before, *provenance.outside(calls, kernel.catalog))))
        if request.with_source and (seen := kernel.ledger.program(past.began.digest)):
            shown.source.content, shown.source.manifest = seen.content, seen.manifest
        return await self._shown(shown)

    async def ForgetRun(self, request: pb.ForgetRunRequest, context: Context) -> pb.ForgetRunResponse:
        ledger, past = self._kernel.ledger, await self._known(request.run, context)
        if past.end is None:
            await abort(context, Fault(error_pb2.CODE_INVALID, "this run is not over", "agentos cancel ends it"))
        await _done(ledger.durable(ledger.forget(past.began.run)), context)
        return pb.ForgetRunResponse(run=past.began.run)

    async def PruneRuns(self, request: pb.PruneRunsRequest, context: Context) -> AsyncIterator[pb.PruneRunsResponse]:
        ledger = self._kernel.ledger
        try:
            past = await pruning.past(ledger)
            chosen = pruning.old(past.runs.values(), request.before_us, request.program, request.keep)
            sent = () if request.program else past.events.values()
            events = pruning.unheld(sent, request.before_us, ledger.queue.holds)
            size = ledger.journal.size()
            told = pb.PruneRunsResponse(
                chosen=len(chosen), programs=len({each.path for each in chosen}), size_before=size, size=size,
                first_us=chosen[0].ended_us if chosen else 0, last_us=chosen[-1].ended_us if chosen else 0,
                events=len(events),
            )  # fmt: skip
            yield told
            if not request.only_say:
                async for forgotten in pruning.prune(ledger, chosen, events):
                    told.forgotten = forgotten
                    yield told
            told.size, told.done = ledger.journal.size(), True
            yield told
        except (JournalFull, JournalBroken) as wrong:
            await abort(context, unrecorded(wrong))

    async def SuggestManifest(self, request: pb.SuggestManifestRequest, context: Context) -> pb.SuggestManifestResponse:
        kernel = self._kernel
        past = await self._known(request.run, context)
        began, calls = past.began, kernel.ledger.calls(past.began.run)
        under = kernel.ledger.table.bounds
        made = [(call.action, call.targets, under(call.grant)) for call, _ in calls]
        block = suggest.block(began.path, made, began.start_folder, began.home_folder, kernel.catalog)
        return await self._shown(pb.SuggestManifestResponse(block=block))

    def _view(self, past: Past) -> pb.Run:
        """A run; one that is not over and not in memory waits."""
        shown = views.run(past.began, past.end, past.continued.generation if past.continued else 0)
        run, ledger = past.began.run, self._kernel.ledger
        if past.end is None and run not in self._kernel.runs.active:
            shown.status, shown.until_ms = pb.RUN_STATUS_WAITING, ledger.open.get(run, 0)
            shown.waits_for = ledger.queue.hearing.waits_for(run)
        return shown

    async def _known(self, name: str, context: Context) -> Past:
        ledger = self._kernel.ledger
        past = ledger.past(next(reversed(ledger.recent), "none") if name in ("last", "") else name)
        if past is None:
            await abort(context, Fault(error_pb2.CODE_NOT_FOUND, "there is no such run", "see: agentos ps"))
        return past

    async def _shown(self, told: T) -> T:
        """What a person is shown has happened for good: all that it was read from, until now, is on disk.

        A disk that is full does not keep them from looking.
        """
        with suppress(JournalFull, JournalBroken):
            await self._kernel.ledger.durable(self._kernel.ledger.journal.head[0])
        return told

    async def _active(self, name: str, context: Context) -> ActiveRun:
        run = self._kernel.runs.active.get(name)
        if run is None:
            await abort(context, Fault(error_pb2.CODE_NOT_FOUND, "no such run is under way", "see: agentos ps"))
        return run

    # ---- authority

    async def Inbox(self, request: pb.InboxRequest, context: Context) -> pb.InboxResponse:
        return pb.InboxResponse(prompts=[waiting.prompt for waiting in self._kernel.desk.open.values()])

    async def Answer(self, request: pb.AnswerRequest, context: Context) -> pb.AnswerResponse:
        return pb.AnswerResponse(grants=await _done(self._kernel.desk.answer(request), context))

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        table, now = self._kernel.ledger.table, time.time_ns() // 1_000_000
        if request.denied:
            return await self._shown(pb.ListGrantsResponse(grants=list(map(views.denial, table.denials.values()))))
        shown = [views.grant(held, table, now) for held in table.held.values()]
        chosen = [grant for grant in shown if request.all or grant.state == pb.GRANT_STATE_LIVE]
        return await self._shown(pb.ListGrantsResponse(grants=chosen))

    async def Revoke(self, request: pb.RevokeRequest, context: Context) -> pb.RevokeResponse:
        ledger = self._kernel.ledger
        table = ledger.table
        if request.id not in table.held and request.id not in table.denials:
            await abort(context, Fault(error_pb2.CODE_NOT_FOUND, "there is no such grant", "see: agentos grants"))
        ids = standing.subtree(table, request.id) if request.id in table.held else (request.id,)
        under_way = [f"{call.run}:{call.seq}" for call in standing.under_way(table, ids)]
        await _done(ledger.durable(ledger.record(Revoked(ids))), context)
        return pb.RevokeResponse(ids=ids, under_way=under_way)

    # ---- secrets

    async def SetSecret(self, request: pb.SetSecretRequest, context: Context) -> pb.SetSecretResponse:
        replaced = await _done(self._kernel.secrets.set(request.secret), context)
        return pb.SetSecretResponse(secret=self._kernel.secrets.info(request.secret.name), replaced=replaced)

    async def ListSecrets(self, request: pb.ListSecretsRequest, context: Context) -> pb.ListSecretsResponse:
        return pb.ListSecretsResponse(secrets=self._kernel.secrets.all())

    async def RemoveSecret(self, request: pb.RemoveSecretRequest, context: Context) -> pb.RemoveSecretResponse:
        await _done(self._kernel.secrets.remove(request.name), context)
        return pb.RemoveSecretResponse()

    # ---- capabilities

    async def ListCapabilities(
        self, request: pb.ListCapabilitiesRequest, context: Context
    ) -> pb.ListCapabilitiesResponse:
        return pb.ListCapabilitiesResponse(capabilities=self._kernel.capabilities())

    async def AddCapability(self, request: pb.AddCapabilityRequest, context: Context) -> pb.AddCapabilityResponse:
        return pb.AddCapabilityResponse(capability=await _done(self._kernel.add_capability(request.folder), context))

    async def RemoveCapability(
        self, request: pb.RemoveCapabilityRequest, context: Context
    ) -> pb.RemoveCapabilityResponse:
        await _done(self._kernel.remove_capability(request.name), context)
        return pb.RemoveCapabilityResponse()


def events(kernel: Kernel) -> Events:
    """The service of events of this kernel."""
    arming = partial(arm, kernel.runs, kernel.ledger)
    return Events(kernel.ledger, kernel.dispatch, arming, _done, kernel.runs.now_ms, kernel.watching)  # type: ignore[arg-type]  # each generated file has a context of its own


async def walls() -> list[pb.Wall]:
    """Try every wall in a process of its own."""
    out, _ = await hear_out([sys.executable, "-m", "agentos.kernel.cells.probe"], {}, 60)
    return [pb.Wall(**wall) for wall in json.loads(out)]
