"""What a program is told when the network fails: our own words and the host that it named, nothing of a library.

`detail` is a word to branch on. Before anything was sent: `no_name`, `address`, `refused`, `unreachable`, `tls`,
`other_host`. Afterwards, so that the request may have had its effect: `timeout`, `reset`, `not_http`, `too_large`,
`secret`; such a failure says so (`happened`), and the grant counts as used.
"""

from __future__ import annotations

import ssl

from agentos.capabilities.failure import Denied, Failure, Limit, NotFound, Unavailable
from agentos.v1 import addresses

# OpenSSL's X509_V_ERR_…, of x509_vfy.h.
_OTHER_HOST = (62, 64)
_TIME = {9: "is not valid yet", 10: "has expired"}
_LATER = "try again later"


def sent(failure: Failure) -> Failure:
    """The same, for when the request was on its way already."""
    failure.error.happened = True
    return failure


def no_name(host: str) -> NotFound:
    return NotFound(f"there is no host {host}", "see if it is spelt right", "no_name")


def names_down(host: str) -> Unavailable:
    return Unavailable(f"the address of {host} could not be found out", _LATER, "no_name")


def address(host: str, kind: str, line: str) -> Denied:
    """`line` is the line of a manifest that would allow it; there is none for what no grant reaches."""
    if kind == addresses.NEVER:
        return Denied(f"{host} leads to an address that no grant reaches", "no grant changes that", "address")
    hint = f"only if it is meant to, its manifest needs, below [tool.agentos.grants]: {line}"
    return Denied(f"{host} leads to {addresses.WORDS[kind]}", hint, "address")


def refused(host: str) -> Unavailable:
    return Unavailable(f"nobody answers at that port of {host}", _LATER, "refused")


def unreachable(host: str) -> Unavailable:
    return Unavailable(f"{host} cannot be reached", _LATER, "unreachable")


def no_tls(host: str) -> Unavailable:
    return Unavailable(f"{host} does not speak TLS as it should", "see if it is https, and at this port", "tls")


def untrusted(host: str, problem: ssl.SSLCertVerificationError) -> Unavailable:
    if problem.verify_code in _OTHER_HOST:
        reason = f"the server at {host} has the certificate of another host"
        return Unavailable(reason, "use the name that its certificate has", "other_host")
    if problem.verify_code in _TIME:
        return Unavailable(f"the certificate of {host} {_TIME[problem.verify_code]}", "tell who runs it", "tls")
    hint = "if you trust who signed it, start the kernel with AGENTOS_NET_CA=FILE.pem"
    return Unavailable(f"nobody that is trusted signed the certificate of {host}", hint, "tls")


def bad_ca() -> Unavailable:
    return Unavailable(
        "AGENTOS_NET_CA names no file of certificates",
        "start the kernel with a PEM file that it may read, or without",
        "tls",
    )


def bad_resolver() -> Unavailable:
    return Unavailable(
        "AGENTOS_NET_RESOLVER is not HOST:PORT", "start the kernel with an address and a port, or without", "no_name"
    )


def timeout(host: str) -> Failure:
    return sent(Unavailable(f"{host} did not answer in time", "try again later, or with a longer timeout", "timeout"))


def stalled(host: str) -> Failure:
    return sent(Unavailable(f"{host} stopped in the middle of its answer", _LATER, "timeout"))


def reset(host: str) -> Failure:
    return sent(Unavailable(f"{host} hung up before the end of its answer", _LATER, "reset"))


def not_http(host: str) -> Failure:
    return sent(Unavailable(f"{host} answered with what is no HTTP", "see if it is the right port", "not_http"))


def head_too_large(host: str) -> Failure:
    reason = f"the headers of {host}'s answer are larger than 64 KiB or more than 256"
    return sent(Limit(reason, "ask for something else", "too_large"))


def bomb(host: str) -> Failure:
    reason = f"the answer of {host} unpacks to more than 200 times its size"
    return sent(Limit(reason, "ask for it uncompressed, or for less", "too_large"))


def unsearchable(host: str) -> Failure:
    reason = f"the answer of {host} is packed in a way that cannot be searched for a secret"
    return sent(Unavailable(reason, "ask for it in another form, or under a grant without a secret", "secret"))


def wasteful(host: str) -> Failure:
    return sent(Limit(f"the answer of {host} is framed in far more than it holds", "ask for less", "too_large"))


def undecodable(host: str) -> Failure:
    return sent(Unavailable(f"the answer of {host} is not compressed as it says", _LATER, "not_http"))
