"""The secrets of a home, as the person's shell and the path of a call need them: what each is for, and where it lies.

What a secret is for stands in the journal; its value lies in the vault, under a key that the journal says. Both must be
there, else there is no secret. A value leaves here in one way only: with a call, to a capability whose action has a
bound for secrets, by the names that its grant has. Nothing gives one back to a shell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from agentos.home.history import SecretRemoved, SecretSet
from agentos.home.records import Bounds, Fault
from agentos.home.refusal import Refusal
from agentos.home.vault import Vault
from agentos.kernel.call import Call, Failed
from agentos.kernel.ledger import Ledger
from agentos.kernel.scope import named_secrets
from agentos.manifest.rules import Catalog
from agentos.v1 import capability_pb2, error_pb2, matchers, secrets
from agentos.v1 import control_pb2 as pb
from agentos.v1.names import BadName

MOST = 1_000


class Secrets:
    def __init__(self, ledger: Ledger, vault: Vault, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self._ledger, self._vault, self._catalog, self._now_ms = ledger, vault, catalog, now_ms
        self._turn = asyncio.Lock()
        vault.keep(self._keys())

    def _keys(self) -> list[str]:
        return [each.key for each in self._ledger.secrets.values()]

    # ---- the person's side

    async def set(self, given: capability_pb2.Secret) -> bool:
        """Keep a secret, in place of one of the same name; says whether there was one. Raises Refusal."""
        try:
            made = secrets.canonical(given)
        except BadName as bad:
            raise Refusal(error_pb2.CODE_INVALID, str(bad), "see: agentos secrets --help") from None
        async with self._turn:
            known = made.name in self._ledger.secrets
            if not known and len(self._ledger.secrets) >= MOST:
                raise Refusal(error_pb2.CODE_LIMIT, f"there are {MOST} secrets already", "agentos secrets remove NAME")
            key = await asyncio.to_thread(self._vault.put, made.value.encode())
            await self._record(SecretSet(made.name, key, tuple(made.places), made.header, made.form, self._now_ms()))
        return known

    async def remove(self, name: str) -> None:
        """Let a secret go, for good. Raises Refusal."""
        async with self._turn:
            if name not in self._ledger.secrets:
                raise Refusal(error_pb2.CODE_NOT_FOUND, "there is no such secret", "see: agentos secrets")
            await self._record(SecretRemoved(name))

    async def _record(self, record: SecretSet | SecretRemoved) -> None:
        await self._ledger.durable(self._ledger.record(record))
        await asyncio.to_thread(self._vault.keep, self._keys())

    def all(self) -> list[pb.SecretInfo]:
        return [self.info(name) for name in sorted(self._ledger.secrets)]

    def told(self, action: str, bounds: Bounds) -> list[pb.SecretInfo]:
        """What the person should know of the secrets that these bounds of an action name; no place: it is not set."""
        return [self.info(name) for name in named_secrets(self._catalog.actions[action], bounds)]

    def info(self, name: str) -> pb.SecretInfo:
        """What there is to know of a secret; of one that is not set, its name."""
        made = self._ledger.secrets.get(name)
        if made is None:
            return pb.SecretInfo(name=name)
        return pb.SecretInfo(
            name=name, places=made.places, header=made.header, form=made.form, set_ms=made.at_ms,
            last_used_ms=max((at for at in self._uses(name) if at >= made.at_ms), default=0),
        )  # fmt: skip

    def _uses(self, name: str) -> Iterator[int]:
        for held in self._ledger.table.held.values():
            rule = self._catalog.actions.get(held.grant.action)
            if rule and name in named_secrets(rule, held.grant.bounds):
                yield held.last_used_ms

    # ---- the path of a call

    def of(self, call: Call, bounds: Bounds) -> list[capability_pb2.Secret]:
        """Those that go with a call under a grant of these bounds. Raises Failed: then nothing has been sent."""
        return [self._whole(name, call) for name in named_secrets(call.rule, bounds)]

    def _whole(self, name: str, call: Call) -> capability_pb2.Secret:
        made = self._ledger.secrets.get(name)
        value = self._vault.get(made.key) if made else None
        if made is None or value is None:
            hint = f"set it: agentos secrets set {name} --for {_place(call)}"
            raise Failed(Fault(error_pb2.CODE_NOT_FOUND, f"there is no secret {name}", hint, "no_secret"), True)
        return capability_pb2.Secret(
            name=name, value=value.decode(), places=made.places, header=made.header, form=made.form
        )


def _place(call: Call) -> str:
    """Where a call goes, as --for takes it: the host alone for https as usual."""
    aim = dict(call.targets)
    hosts = (field.field for field in call.rule.fields if field.matcher == matchers.HOST)
    host = next((aim[field] for field in hosts if field in aim), "HOST")
    scheme, port = aim.get("scheme", "https"), aim.get("port", "443")
    return host if (scheme, port) == ("https", "443") else f"{scheme}://{host}:{port}"
