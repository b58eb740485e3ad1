"""Secrets through the real path: a person, a kernel, a program in its cell, the net server, and a mirror at the end.

What the program gets is all that a hostile one could have: every header and every byte of every answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from agentos.home import chain, keys, unlocking
from agentos.v1 import capability_pb2, error_pb2
from agentos.v1 import control_pb2 as pb
from tests.kernel.person import FOR_VERSION, Person, Told, Up, error_of
from tests.net.mirror import FORMS, Mirror, mirror
from tests.net.world import Names, certified

VALUE = 'tok"en/9+x%Z=Tq&<\\u7-0123456789'
MARK = "[secret api]"
ALL = """
from agentos.sdk import net
def main(input):
    return [told(*each) for each in input]
def told(url, how, headers):
    scheme, rest = url.split("://"); authority, _, path = rest.partition("/"); host, _, port = authority.partition(":")
    given = tuple(net.Header(name, value) for name, value in headers)
    try:
        reply = net.fetch("GET", scheme, host, port=port, path="/" + path, headers=given, stream=how == "stream")
        body, handle = reply.body, reply.handle
        cut = reply.cut
        while handle:
            piece = net.read(handle=handle)
            body, cut, handle = body + piece.data, piece.cut, "" if piece.end else handle
    except Exception as wrong:
        return {"error": type(wrong).__name__, "said": str(wrong)}
    headers = [[header.name, header.value] for header in reply.headers]
    body = body.replace(b"x" * 64, b"").decode("latin-1")
    return {"status": reply.status, "headers": headers, "body": body, "cut": cut}
"""


@pytest.fixture(scope="module")
def here() -> Iterator[type[Mirror]]:
    with mirror() as found:
        yield found


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[type[Mirror]]:
    with mirror("127.0.0.2") as found:
        yield found


def keep(person: Person, *places: str, name: str = "api", value: str = VALUE, **more: str) -> pb.SetSecretResponse:
    secret = capability_pb2.Secret(name=name, value=value, places=places, **more)
    return person.control.SetSecret(pb.SetSecretRequest(secret=secret), metadata=person.metadata)


def lose(person: Person, name: str = "api") -> None:
    person.control.RemoveSecret(pb.RemoveSecretRequest(name=name), metadata=person.metadata)


def grants(*mirrors: type[Mirror], secret: str = "api") -> str:
    ports = ", ".join(f'"{each.port}"' for each in mirrors)
    return (
        f'"net.fetch" = {{ host = ["127.0.0.1", "127.0.0.2"], scheme = ["http"], port = [{ports}], '
        f'network = "loopback", secret = "{secret}" }}'
    )


def fetch(person: Person, asked: Iterable[tuple[str, str, list[list[str]]]], lines: str) -> list[dict[str, object]]:
    told = person.run(ALL, lines, input=json.dumps(list(asked)))
    found = told.result
    assert isinstance(found, list)
    return found


def url(at: type[Mirror], path: str = "/v1/x", how: str = "plain", **more: str) -> str:
    query = "".join(f"&{name}={text}" for name, text in more.items())
    return f"http://{at.host}:{at.port}{path}?how={how}{query}"


def unseen(text: str) -> bool:
    """Whether the value is nowhere in a text, in any form that the mirror knows, read as JSON or not."""
    forms = {form(VALUE) for form in FORMS.values()} | {VALUE.lower(), json.dumps(VALUE)[1:-1]}
    readings = {text, text.lower(), text.replace("\\\\", "\\")}
    return not any(form in reading for reading in readings for form in forms)


# ---- it goes where it should, and comes back nowhere


@pytest.mark.parametrize("how", ["plain", "gzip", "chunks", "big"])
@pytest.mark.parametrize("read", ["whole", "stream"])
def test_the_secret_arrives_and_the_program_never_sees_it(
    person: Person, here: type[Mirror], how: str, read: str
) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    [answer] = fetch(person, [(url(here, how=how), read, [])], grants(here))
    assert answer["status"] == 200, answer
    assert [headers["Authorization"] for _, headers in here.seen] == [f"Bearer {VALUE}"]
    assert MARK in str(answer["body"])
    assert unseen(json.dumps(answer))


def test_the_header_and_its_form_are_the_persons(person: Person, here: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**", header="X-Key", form="key={secret}")
    here.seen.clear()
    [answer] = fetch(person, [(url(here), "whole", [])], grants(here))
    [(_, headers)] = here.seen
    assert headers["X-Key"] == f"key={VALUE}"
    assert "Authorization" not in headers
    assert unseen(json.dumps(answer))


def test_elsewhere_the_request_goes_without_it(person: Person, here: type[Mirror], elsewhere: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    elsewhere.seen.clear()
    urls = [url(here, "/v2/x"), url(here, "/v1"), url(elsewhere)]
    answers = fetch(person, [(each, "whole", []) for each in urls], grants(here, elsewhere))
    assert [answer["status"] for answer in answers] == [200, 200, 200]
    assert len(here.seen) + len(elsewhere.seen) == 3
    assert not any("Authorization" in headers for _, headers in [*here.seen, *elsewhere.seen])


def test_a_redirect_elsewhere_drops_it(person: Person, here: type[Mirror], elsewhere: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    elsewhere.seen.clear()
    to = f"http://127.0.0.2:{elsewhere.port}/v1/x"
    source = f"from agentos.sdk import net\nresult = net.get({url(here, how='redirect', to=to)!r}).status"
    assert person.run(source, grants(here, elsewhere)).result == 200
    assert here.seen[0][1]["Authorization"] == f"Bearer {VALUE}"
    assert "Authorization" not in elsewhere.seen[0][1]


def test_over_tls_it_goes_to_the_host_that_has_the_name(person: Person, names: Names, authority: trustme.CA) -> None:
    names.known["mirror.test"] = names.known["other.test"] = ["127.0.0.1"]
    with mirror(tls=certified(authority, "mirror.test", "other.test")) as secure:
        keep(person, f"mirror.test:{secure.port}/v1/**")
        lines = (
            f'"net.fetch" = {{ host = ["mirror.test", "other.test"], port = "{secure.port}", network = "loopback", '
            f'secret = "api" }}'
        )
        urls = [f"https://{host}:{secure.port}/v1/x?how=gzip" for host in ("mirror.test", "other.test")]
        answers = fetch(person, [(url, "whole", []) for url in urls], lines)
    assert [answer["status"] for answer in answers] == [200, 200], answers
    assert [headers.get("Authorization") for _, headers in secure.seen] == [f"Bearer {VALUE}", None]
    assert MARK in str(answers[0]["body"])
    assert unseen(json.dumps(answers))


# ---- what cannot be


def test_a_program_cannot_take_the_place_of_the_header_or_ask_for_a_part(person: Person, here: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    asked = [(url(here), "whole", [header]) for header in (["authorization", "mine"], ["Range", "bytes=3-3"])]
    answers = fetch(person, asked, grants(here))
    assert [answer["error"] for answer in answers] == ["Invalid", "Invalid"]
    assert here.seen == []


@pytest.mark.parametrize("how", ["short", "broken", "strange"])
@pytest.mark.parametrize("read", ["whole", "stream"])
def test_an_answer_that_breaks_off_or_cannot_be_read_says_nothing_of_it(
    person: Person, here: type[Mirror], how: str, read: str
) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    [answer] = fetch(person, [(url(here, how=how), read, [])], grants(here))
    assert "error" in answer or answer["cut"], answer
    assert unseen(json.dumps(answer))
    assert VALUE[:-1] not in json.dumps(answer)


def test_a_limit_does_not_cut_a_value_in_two(person: Person, here: type[Mirror]) -> None:
    """With one request for each length, a program would have all of it but the last letter."""
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    source = (
        "from agentos.sdk import net\nresult = []\n"
        f"for most in range(30, 80, 7):\n"
        f"    reply = net.fetch('GET', 'http', '127.0.0.1', port='{here.port}', path='/v1/x', most=most)\n"
        f"    result.append(reply.body.decode('latin-1'))"
    )
    told = person.run(source, grants(here))
    assert isinstance(told.result, list)
    assert not any(VALUE[:4] in body for body in told.result)


def test_one_that_is_not_set_is_not_found_and_says_how_to_set_it(person: Person, here: type[Mirror]) -> None:
    here.seen.clear()
    [answer] = fetch(person, [(url(here), "whole", [])], grants(here, secret="none"))
    assert answer["error"] == "NotFound"
    assert f"agentos secrets set none --for http://{here.host}:{here.port}" in str(answer["said"])
    assert here.seen == []


def test_one_that_is_removed_is_gone_at_the_next_call_of_a_run_under_way(person: Person, here: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()
    source = ALL.replace(
        "return [told(*each) for each in input]",
        "a = told(*input[0])\n    __import__('builtins').input()\n    return [a, told(*input[0])]",
    )

    def remove(kind: str, event: pb.RunResponse, told: Told) -> None:
        if kind == "input_wanted":
            lose(person)
            person.type(told.id, "go on")

    asked = json.dumps([(url(here), "whole", [])])
    stream = person.start(
        person.source(source, grants(here)), grant_manifest=True, ask=pb.ASK_DENY, interactive=True, input=asked
    )
    found = person.follow(stream, on=remove).result
    assert isinstance(found, list)
    first, second = found
    assert first["status"] == 200
    assert second["error"] == "NotFound"
    assert len(here.seen) == 1


def test_without_the_persons_yes_to_it_a_program_goes_without(person: Person, here: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    here.seen.clear()

    def leave_it_out(prompt: pb.Prompt) -> list[pb.Decision]:
        [line] = prompt.lines
        assert [secret.name for secret in line.secrets] == ["api"]
        assert list(line.secrets[0].places) == [f"http://127.0.0.1:{here.port}/v1/**"]
        bounds = [bound for bound in line.bounds if bound.name != "secret"]
        return [pb.Decision(number=1, choice=pb.CHOICE_VERSION, bounds=bounds)]

    told = person.run(ALL, grants(here), policy=leave_it_out, input=json.dumps([(url(here), "whole", [])]))
    assert told.result[0]["status"] == 200  # type: ignore[index]
    assert "Authorization" not in here.seen[0][1]


def test_a_version_that_adds_a_secret_is_asked_as_wider(person: Person, here: type[Mirror]) -> None:
    plain = grants(here).replace(', secret = "api"', "")
    asked = json.dumps([])
    person.run(ALL, plain, policy=FOR_VERSION, input=asked)
    told = person.run(ALL, grants(here), policy=FOR_VERSION, input=asked)
    assert [line.state for line in told.prompts[0].lines] == [pb.LINE_STATE_WIDER]


def test_what_the_kernel_refuses_to_keep_is_typed_and_not_repeated(person: Person) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        keep(person, "http://example.com", value=VALUE)
    error = error_of(refused.value)
    assert error.code == error_pb2.CODE_INVALID
    assert VALUE not in f"{error}{refused.value}"


# ---- nothing of it is left anywhere


def test_no_record_log_or_process_shows_the_value(up: Up, person: Person, here: type[Mirror]) -> None:
    keep(person, f"http://127.0.0.1:{here.port}/v1/**")
    asked = [[url(here, how=how), "whole", []] for how in ("plain", "broken", "big")]
    told = person.run(ALL, grants(here), input=json.dumps(asked))
    shown = f"{person.record(told.id)}{person.calls(told.id)}{person.grants()}"
    listed = person.control.ListSecrets(pb.ListSecretsRequest(), metadata=person.metadata)
    assert unseen(shown + str(listed))
    assert {
        reason.text
        for call in person.calls(told.id, "net.fetch")
        for reason in call.reasons
        if reason.label == "secret"
    } == {"api"}
    assert listed.secrets[0].last_used_ms >= listed.secrets[0].set_ms
    assert unseen((up.home.parent / "log").read_text(errors="replace"))
    bodies = journal(up)
    assert unseen(bodies.decode("latin-1"))
    assert b"secret.set" in bodies
    for pid in (up.pid, person.capability("net").pid):
        for name in ("cmdline", "environ"):
            assert VALUE.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    for folder, _, files in os.walk(up.home):
        for file in filter(os.path.isfile, (os.path.join(folder, file) for file in files)):
            assert VALUE.encode() not in Path(file).read_bytes()


def journal(up: Up) -> bytes:
    """All that the journal holds, opened beside the kernel with the home's own key."""
    key = keys.derive(unlocking.home_key(unlocking.read(up.home), "")).database
    db = chain.connect(up.home / "agentos.db", key)
    rows = db.execute("SELECT kind, body FROM journal").fetchall()
    db.close()
    return b"\n".join(str(kind).encode() + b" " + bytes(body) for kind, body in rows if isinstance(body, bytes))
