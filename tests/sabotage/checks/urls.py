"""Taken out of what reads the path of a URL, and out of what a request may say of its bounds."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

TWO = "authority/test_urls.py::test_what_two_servers_could_read_as_two_places_is_refused"
SAY = "authority/test_defaults.py::test_a_request_cannot_say_what_is_not_its_own_to_say"

CHECKS = (
    out(2, "no dots in a URL's path, in whatever disguise", "proto/agentos/v1",
        'in (b".", b"..") for part', 'in () for part', TWO),
    out(2, "a path that is decoded twice has no dots either", "proto/agentos/v1",
        "for reading in (raw, again):", "for reading in (raw,):", TWO),
    out(2, "what stands behind a ; hides no dots", "proto/agentos/v1",
        'part.partition(b";")[0].strip() in', "part in", TWO),
    never(2, "no encoded control character in a URL", "proto/agentos/v1",
          "any(byte < 32 or byte == 127 for byte in reading)", TWO),
    never(2, "no backslash in a URL's path", "proto/agentos/v1", '"\\\\" in name', TWO),
    never(2, "no empty names in a URL's path", "proto/agentos/v1", '"" in names[:-1]', TWO),
    never(2, "a percent sign stands before two digits", "proto/agentos/v1", "found[1] is None", TWO),
    never(6, "a request says nothing of what only a manifest says", "kernel",
          "field.matcher in matchers.CARRIED and getattr(request, field.field)", SAY),
    never(6, "a request has one of the values that there are", "kernel",
          "field.among and not set(values) <= set(field.among)", SAY),
)  # fmt: skip
