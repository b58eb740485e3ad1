"""Secrets in the kernel: what is recorded of one, what goes with a call, and what is not there is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agentos.home import chain, history
from agentos.home.history import SecretSet
from agentos.home.journal import Journal
from agentos.home.records import Bounds, Fault
from agentos.home.refusal import Refusal
from agentos.home.vault import Vault
from agentos.kernel import bounds
from agentos.kernel.call import Call, Failed
from agentos.kernel.decide import Allow, decide
from agentos.kernel.grants import Held
from agentos.kernel.ledger import Ledger
from agentos.kernel.secrets import MOST, Secrets
from agentos.manifest.rules import Catalog
from agentos.runs import prompts
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from agentos.v1.capability_pb2 import Secret
from tests.authority.letters import add_field, add_method, post_service, shipped, write_capability
from tests.kernel.cases import WHO, call, case, grant, line, made, manifest

KEY = b"k" * 32
VALUE = "stamp-0123456789"
LENT: Bounds = (("kind", ("small",)), ("secret", ("stamp",)), ("server", ("a.example",)), ("to", ("*@a.example",)))
UNLENT = tuple(bound for bound in LENT if bound[0] != "secret")


class Office(NamedTuple):
    """A home with a post office, whose letters may go with a secret."""

    path: Path
    catalog: Catalog
    journal: Journal
    vault: Vault
    ledger: Ledger
    secrets: Secrets

    def send(self) -> Call:
        return call(self.catalog, "post.send", to="me@a.example", server="a.example", kind="small")

    def bodies(self) -> bytes:
        return b"".join(entry.body for entry in self.journal.entries())


def opened(path: Path, catalog: Catalog) -> Office:
    journal, vault = Journal.open(path, KEY), Vault.open(path, KEY)
    ledger = Ledger(journal)
    return Office(path, catalog, journal, vault, ledger, Secrets(ledger, vault, catalog, lambda: 1_000))


async def closed(office: Office) -> None:
    office.vault.close()
    await office.journal.close()


def stamp(**other: object) -> Secret:
    fields: dict[str, object] = {"name": "stamp", "value": VALUE, "places": ["a.example"]}
    return Secret(**(fields | other))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    file = post_service()
    add_field(file.message_type[0], "secret", notes.MATCHER_SECRET)
    add_method(file, "Burn", notes.EFFECT_REACH, "burn at {server}")
    add_field(file.message_type[-2], "server", notes.MATCHER_HOST)
    return shipped(write_capability(tmp_path_factory.mktemp("post"), file))


@pytest.fixture
async def office(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Office]:
    made = opened(tmp_path / "db", catalog)
    yield made
    await closed(made)


async def test_a_secret_goes_with_a_call_under_a_grant_that_names_it(office: Office) -> None:
    assert await office.secrets.set(stamp()) is False
    [lent] = office.secrets.of(office.send(), LENT)
    assert (lent.name, lent.value, list(lent.places)) == ("stamp", VALUE, ["https://a.example/**"])
    assert (lent.header, lent.form) == ("Authorization", "Bearer {secret}")
    assert office.secrets.of(office.send(), UNLENT) == []


async def test_an_action_without_a_bound_for_secrets_gets_none_whatever_its_grant_says(office: Office) -> None:
    await office.secrets.set(stamp())
    burn = call(office.catalog, "post.burn", server="a.example")
    assert office.secrets.of(burn, LENT) == []


async def test_a_secret_that_is_not_set_fails_before_anything_is_sent(office: Office) -> None:
    with pytest.raises(Failed) as failed:
        office.secrets.of(office.send(), LENT)
    fault = failed.value.fault
    assert (fault.code, fault.detail) == (error_pb2.CODE_NOT_FOUND, "no_secret")
    assert fault.hint == "set it: agentos secrets set stamp --for a.example"
    assert failed.value.released


async def test_the_journal_says_what_a_secret_is_for_and_never_its_value(office: Office) -> None:
    await office.secrets.set(stamp())
    await office.secrets.set(stamp(value="another-value-99", places=["b.example"]))
    await office.secrets.remove("stamp")
    kinds = [(entry.kind, history.decode(entry.body)) for entry in office.journal.entries()]
    assert [kind for kind, _ in kinds] == ["secret.set", "secret.set", "secret.removed"]
    assert VALUE.encode() not in office.bodies()
    assert b"another-value" not in office.bodies()


async def test_a_removed_secret_is_gone_at_once_and_for_good(office: Office) -> None:
    await office.secrets.set(stamp())
    [record] = [history.decode(entry.body) for entry in office.journal.entries()]
    assert isinstance(record, SecretSet)
    assert office.vault.get(record.key) == VALUE.encode()
    await office.secrets.remove("stamp")
    assert office.vault.get(record.key) is None
    with pytest.raises(Failed):
        office.secrets.of(office.send(), LENT)
    with pytest.raises(Refusal, match="no such secret") as refused:
        await office.secrets.remove("stamp")
    assert refused.value.fault.code == error_pb2.CODE_NOT_FOUND


async def test_setting_one_again_replaces_it_whole(office: Office) -> None:
    await office.secrets.set(stamp())
    assert await office.secrets.set(stamp(value="another-value-99", places=["b.example"], header="X-Key")) is True
    [lent] = office.secrets.of(office.send(), LENT)
    assert (lent.value, list(lent.places), lent.form) == ("another-value-99", ["https://b.example/**"], "{secret}")


async def test_it_outlives_a_restart_and_what_nobody_asks_for_is_swept(tmp_path: Path, catalog: Catalog) -> None:
    first = opened(tmp_path / "db", catalog)
    await first.secrets.set(stamp())
    orphan = first.vault.put(b"of-a-crash-between-the-two")
    await closed(first)
    second = opened(tmp_path / "db", catalog)
    assert second.secrets.of(second.send(), LENT)[0].value == VALUE
    assert second.vault.get(orphan) is None
    await closed(second)


@pytest.mark.parametrize("meddling", ["DELETE FROM vault", "UPDATE vault SET key = 'x'"])
async def test_a_row_that_does_not_fit_its_record_is_an_absence(office: Office, meddling: str) -> None:
    await office.secrets.set(stamp())
    db = chain.connect(office.path, KEY)
    db.execute(meddling)
    db.close()
    with pytest.raises(Failed):
        office.secrets.of(office.send(), LENT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Stamp"}, {"value": "short"}, {"places": []}, {"places": ["a.example"] * 65}, {"places": ["http://a.example"]},
        {"header": "Host"}, {"form": "Bearer"},
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused_and_leaves_nothing(office: Office, wrong: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refused:
        await office.secrets.set(stamp(**wrong))
    assert refused.value.fault.code == error_pb2.CODE_INVALID
    assert "short" not in refused.value.fault.reason
    assert office.secrets.all() == []
    assert office.bodies() == b""


async def test_there_are_so_many_secrets_and_one_more_only_in_place_of_another(office: Office) -> None:
    for number in range(MOST - 1):
        office.ledger.record(SecretSet(f"s{number}", f"k{number}", (), "", "", 0))
    await office.secrets.set(stamp())
    with pytest.raises(Refusal) as refused:
        await office.secrets.set(stamp(name="another"))
    assert refused.value.fault == Fault(
        error_pb2.CODE_LIMIT, "there are 1000 secrets already", "agentos secrets remove NAME"
    )
    assert await office.secrets.set(stamp(value="another-value-99")) is True


async def test_two_that_are_set_at_once_leave_one_whole(office: Office) -> None:
    await asyncio.gather(*(office.secrets.set(stamp(value=f"value-number-{number}")) for number in range(8)))
    [lent] = office.secrets.of(office.send(), LENT)
    assert lent.value.startswith("value-number-")
    assert len(office.vault._reading.execute("SELECT key FROM vault").fetchall()) == 1


async def test_what_is_told_of_a_secret_says_when_it_was_used_last(office: Office) -> None:
    await office.secrets.set(stamp())
    assert office.secrets.info("stamp").last_used_ms == 0
    office.ledger.record(grant("g1", "post.send", LENT), grant("g2", "post.send", UNLENT))
    office.ledger.record(made(2_000, "g1"), made(3_000, "g2"))
    [told] = office.secrets.all()
    assert (told.set_ms, told.last_used_ms) == (1_000, 2_000)
    office.ledger.record(made(500, "g1"))
    assert office.secrets.info("stamp").last_used_ms == 0  # before it was set


def test_no_answer_of_the_control_service_has_room_for_a_value() -> None:
    """`reveal` does not exist, and cannot come in by the back door: what a shell hears has no Secret in it."""
    service = pb.DESCRIPTOR.services_by_name["ControlService"]
    seen: set[str] = set()
    waiting = [method.output_type for method in service.methods]
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            waiting += [field.message_type for field in message.fields if field.message_type]
    assert "agentos.v1.SecretInfo" in seen
    assert Secret.DESCRIPTOR.full_name not in seen
    told = {field.name for field in pb.SecretInfo.DESCRIPTOR.fields}
    assert told == {"name", "places", "header", "form", "set_ms", "last_used_ms"}
    assert not any("reveal" in method.name.lower() for method in service.methods)


# ---- what a person is asked


def test_a_call_under_a_grant_with_a_secret_says_so(catalog: Catalog) -> None:
    send = call(catalog, "post.send", to="me@a.example", server="a.example", kind="small")
    verdict = decide(case(catalog, send, line("post.send", LENT), held=[grant("g1", "post.send", LENT)]))
    assert isinstance(verdict, Allow)
    assert ("secret", "stamp") in verdict.reasons


def test_a_version_that_adds_a_secret_asks_for_more(catalog: Catalog) -> None:
    earlier = [Held(grant("g1", "post.send", UNLENT))]
    [asked] = prompts.review_lines(manifest(line("post.send", LENT)), WHO, [], earlier, catalog)
    assert asked.state == pb.LINE_STATE_WIDER
    [same] = prompts.review_lines(manifest(line("post.send", UNLENT)), WHO, [], earlier, catalog)
    assert same.state == pb.LINE_STATE_KEPT


def test_the_person_may_leave_a_secret_out_and_never_add_one(catalog: Catalog) -> None:
    rule = catalog.actions["post.send"]
    assert bounds.contains(rule, LENT, UNLENT)
    assert not bounds.contains(rule, UNLENT, LENT)
