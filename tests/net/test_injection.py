"""Which secrets go along with a request, decided on its parts alone."""

from __future__ import annotations

import pytest

from agentos.capabilities.failure import Invalid
from agentos.capabilities.net.secrets import Destination, Headers, Lent
from agentos.v1.capability_pb2 import Secret

HERE = Destination("https", "api.example.com", "443", "/v1/x?q=1")


def secret(name: str = "api", place: str = "https://api.example.com/v1/**", header: str = "Authorization") -> Secret:
    return Secret(name=name, value=f"value-of-{name}", places=[place], header=header, form="Bearer {secret}")


def added(secrets: list[Secret], to: Destination, given: Headers) -> list[tuple[str, str]]:
    return Lent(secrets).added(to, given)


def test_a_secret_goes_to_its_place_as_its_header() -> None:
    assert added([secret()], HERE, [("Accept", "*/*")]) == [("Authorization", "Bearer value-of-api")]


@pytest.mark.parametrize(
    "elsewhere",
    [
        HERE._replace(scheme="http"),
        HERE._replace(host="evil.example"),
        HERE._replace(host="api.example.com.evil.example"),
        HERE._replace(port="8443"),
        HERE._replace(path="/v2/x"),
        HERE._replace(path="/v1"),
        HERE._replace(path="/?/v1/x"),
    ],
)
def test_a_secret_goes_nowhere_else(elsewhere: Destination) -> None:
    assert added([secret()], elsewhere, [("Authorization", "the program's own")]) == []


def test_http_gets_a_secret_only_where_the_person_wrote_it() -> None:
    local = secret(place="http://127.0.0.1:8080/**")
    assert added([local], Destination("http", "127.0.0.1", "8080", "/x"), [])
    assert not added([local], Destination("https", "127.0.0.1", "8080", "/x"), [])
    assert not added([secret(place="http://api.example.com/**")], HERE._replace(scheme="http", port="80"), [])


def test_two_secrets_go_as_two_headers_and_never_as_one() -> None:
    key = secret("key", header="X-Api-Key")
    assert [name for name, _ in added([secret(), key], HERE, [])] == ["Authorization", "X-Api-Key"]
    with pytest.raises(Invalid, match="two secrets"):
        added([secret(), secret("other", header="authorization")], HERE, [])
    elsewhere = secret("other", "https://other.example/**")
    assert len(added([secret(), elsewhere], HERE, [])) == 1


def test_the_header_is_not_the_programs_to_set() -> None:
    with pytest.raises(Invalid, match="not the program's") as refused:
        added([secret()], HERE, [("aUTHORIZATION", "Bearer mine")])
    assert "value-of-api" not in str(refused.value.error)


@pytest.mark.parametrize("name", ["Range", "if-range"])
def test_a_range_is_not_asked_for_where_a_secret_goes(name: str) -> None:
    with pytest.raises(Invalid, match="range"):
        added([secret()], HERE, [(name, "bytes=3-3")])
    assert added([secret()], HERE._replace(host="b.example"), [(name, "bytes=3-3")]) == []
