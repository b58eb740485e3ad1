"""The way from an authorized call to its capability server: seals, folders, secrets, errors, and second tries.

A server that dies in the middle of a call leaves open whether it happened. What that means is said by the action: to
make it again is as good as once, or the server can look it up, or nobody can tell. So a call is made again here where
that is certain to do no harm, and fails as `interrupted` where it is not.
"""

from __future__ import annotations

import asyncio
import hashlib

from google.protobuf.message import DecodeError, Message

from agentos.home.records import Bounds, Fault, Targets
from agentos.kernel import views, wire
from agentos.kernel.bounds import written
from agentos.kernel.call import Call, Failed
from agentos.kernel.cells.servers import CallFailed, Servers
from agentos.kernel.secrets import Secrets
from agentos.v1 import annotations_pb2, capability_pb2, error_pb2, matchers, patterns

# Before a call is made again whose server died in its middle.
PAUSES_S = (0.05, 0.5, 2.0)
# Of a reply as it is recorded. What is larger would not reach the guest either: a frame has no more.
MAX_VALUE, MOST_GROWTH = 8 << 20, 6


class Reach:
    """The capability servers, as the path of a call needs them: seals, folders and errors translated."""

    def __init__(self, servers: Servers, secrets: Secrets) -> None:
        self._servers = servers
        self._secrets = secrets

    async def call(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> bytes:
        """The reply; once more, after a pause, where a server died in the middle and that does no harm."""
        for pause_s in PAUSES_S:
            try:
                return await self._call(call, bounds, lineage)
            except Failed as failed:
                if failed.fault.detail != "interrupted":
                    raise
                fate, reply = await self.fate(call, bounds, lineage, since_ms)
                if fate == capability_pb2.FATE_HAPPENED:
                    return reply
                if fate != capability_pb2.FATE_DID_NOT:
                    raise
                await asyncio.sleep(pause_s)
        return await self._call(call, bounds, lineage)

    async def _call(self, call: Call, bounds: Bounds, lineage: str) -> bytes:
        told = context(call, bounds, lineage)
        told.secrets.extend(self._secrets.of(call, bounds))
        try:
            await self._servers.allow(call.rule.capability, roots(call, bounds))
            raw = await self._servers.call(
                call.rule.capability, call.rule.method, call.request.SerializeToString(), told
            )
        except CallFailed as failed:
            raise _failed(failed.error) from None
        if len(raw) > MAX_VALUE // MOST_GROWTH and too_large(raw, call.rule.response):
            reason = f"{call.rule.capability} answered more than one call can carry"
            raise Failed(Fault(error_pb2.CODE_LIMIT, reason, "ask for less at a time", "too_large"), False)
        return raw

    async def prepare(self, call: Call, bounds: Bounds, lineage: str) -> Targets:
        """What the call is about; asked again where a server died of it, since asking changes nothing."""
        for pause_s in PAUSES_S:
            try:
                return await self._prepare(call, bounds, lineage)
            except Failed as failed:
                if failed.fault.detail != "interrupted":
                    raise
                await asyncio.sleep(pause_s)
        return await self._prepare(call, bounds, lineage)

    async def _prepare(self, call: Call, bounds: Bounds, lineage: str) -> Targets:
        try:
            await self._servers.allow(call.rule.capability, roots(call, bounds))
            found = await self._servers.prepare(
                call.rule.capability, call.rule.name, call.request.SerializeToString(), context(call, bounds, lineage)
            )
        except CallFailed as failed:
            raise _failed(failed.error) from None
        return tuple((target.name, target.value) for target in found)

    async def fate(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> tuple[int, bytes]:
        """Whether a call happened whose answer never came, and its reply; as if not, where twice is as good as once."""
        how = again(call)
        if how != annotations_pb2.AGAIN_LOOK_UP:
            repeats = how == annotations_pb2.AGAIN_REPEAT
            return capability_pb2.FATE_DID_NOT if repeats else capability_pb2.FATE_UNSPECIFIED, b""
        raw = call.request.SerializeToString()
        asked = capability_pb2.LookUpRequest(action=call.rule.name, request=raw, since_ms=since_ms)
        for pause_s in PAUSES_S:
            try:
                await self._servers.allow(call.rule.capability, roots(call, bounds))
                found = await self._servers.look_up(call.rule.capability, asked, context(call, bounds, lineage))
                return found.fate, found.reply
            except CallFailed:  # looking changes nothing, so it is tried again before the person is asked
                await asyncio.sleep(pause_s)
        return capability_pb2.FATE_UNSPECIFIED, b""


def too_large(raw: bytes, response: type[Message]) -> bool:
    """Whether a reply is too large for its record, and for the guest: as JSON it is up to six times what it is here."""
    try:
        return len(wire.value(response.FromString(raw)).encode()) > MAX_VALUE
    except DecodeError:
        return False  # that is found out where it is read


def again(call: Call) -> int:
    """What is to be done with a call whose answer never came: an annotations_pb2.Again."""
    rule = call.rule
    if rule.again_field and getattr(call.request, rule.again_field) not in rule.again_among:
        return annotations_pb2.AGAIN_UNSPECIFIED
    return rule.again


def context(call: Call, given: Bounds, lineage: str) -> capability_pb2.CallContext:
    return capability_pb2.CallContext(
        run=call.run,
        program=hashlib.sha256(lineage.encode()).hexdigest(),
        idempotency_key=f"{call.run}:{call.seq}:{call.digest[:16]}",
        bounds=written(given),
        targets=views.targets(call.targets),
    )


def roots(call: Call, given: Bounds) -> dict[str, str]:
    """The folders a server must be able to reach for this call, and how."""
    mode = "read" if call.rule.effect == annotations_pb2.EFFECT_OBSERVE else "write"
    paths = {field.bound for field in call.rule.fields if field.matcher == matchers.PATH}
    return {patterns.root(pattern): mode for name, values in given if name in paths for pattern in values}


def _failed(error: error_pb2.Error) -> Failed:
    fault = Fault(error.code, error.reason, error.hint, error.detail)
    return Failed(fault, released=not error.happened)
