"""What kind of place an address leads to: `public`, `loopback`, `lan`, or `never`. Pure, and a table.

An address is refused unless the table says what it is, so an allocation of tomorrow is `never` until somebody adds it.
`ipaddress.is_global` would not do: it is true for multicast, for ::127.0.0.1 and for what a translator carries to a
private network.

An IPv6 address can be another spelling of an IPv4 one. Mapped (::ffff:0:0/96) means that very address: the system
connects to it, so it is what its IPv4 address is. NAT64 (64:ff9b::/96) means: a translator connects to it, somewhere
else; so it is public where its IPv4 address is public, and never anything else: no translator leads to this machine.
6to4, Teredo, IPv4-compatible and the NAT64 of a site's own (64:ff9b:1::/48) also carry IPv4 addresses, hardly anybody
needs them, and where they lead depends on the network that one is in: never.

Link-local is never, also under `lan`: an IPv6 one means nothing without a zone, which has no canonical form, and the
IPv4 ones are where clouds serve the keys of a machine (169.254.169.254). So are the other addresses of such services,
wherever they lie (fd00:ec2::254 in what is `lan` otherwise, 168.63.129.16 in what is `public`).

Sources: IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890 and what it lists since), RFC 6052, RFC 8215.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

PUBLIC, LOOPBACK, LAN, NEVER = "public", "loopback", "lan", "never"

# For whoever is told that a name leads there.
WORDS: Final = {LOOPBACK: "this machine", LAN: "a private network", PUBLIC: "the public internet"}

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")

# The first that holds an address says what it is; none: never.
_IPV4: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("168.63.129.16/32", NEVER),  # a cloud's own service beside each machine
        ("127.0.0.0/8", LOOPBACK),
        ("10.0.0.0/8", LAN),
        ("172.16.0.0/12", LAN),
        ("192.168.0.0/16", LAN),
        ("0.0.0.0/8", NEVER),  # this network
        ("100.64.0.0/10", NEVER),  # carrier-grade NAT, and a cloud's metadata
        ("169.254.0.0/16", NEVER),  # link-local, and the metadata of clouds
        ("192.0.0.0/24", NEVER),  # protocol assignments
        ("192.0.2.0/24", NEVER),  # documentation
        ("192.31.196.0/24", NEVER),  # AS112
        ("192.52.193.0/24", NEVER),  # AMT
        ("192.88.99.0/24", NEVER),  # 6to4 relays
        ("192.175.48.0/24", NEVER),  # AS112
        ("198.18.0.0/15", NEVER),  # benchmarks
        ("198.51.100.0/24", NEVER),  # documentation
        ("203.0.113.0/24", NEVER),  # documentation
        ("224.0.0.0/3", NEVER),  # multicast, reserved, broadcast
        ("0.0.0.0/0", PUBLIC),
    )
)
_IPV6: Final = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::1/128", LOOPBACK),
        ("fd00:ec2::/32", NEVER),  # a cloud's metadata
        ("fd20:ce::254/128", NEVER),  # a cloud's metadata
        ("fc00::/7", LAN),
        ("2001::/23", NEVER),  # Teredo and other protocol assignments
        ("2001:db8::/32", NEVER),  # documentation
        ("2002::/16", NEVER),  # 6to4
        ("2620:4f:8000::/48", NEVER),  # AS112
        ("3fff::/20", NEVER),  # documentation
        ("2000::/3", PUBLIC),  # all global unicast that there is
    )
)


def kind(address: Address) -> str:
    """What an address leads to."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _IPV4 if address in network), NEVER)
    if address.scope_id:
        return NEVER
    if address in _MAPPED:
        return kind(_carried(address))
    if address in _NAT64:
        return PUBLIC if kind(_carried(address)) == PUBLIC else NEVER
    return next((kind for network, kind in _IPV6 if address in network), NEVER)


def _carried(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def literal(host: str) -> Address | None:
    """The address that a canonical host is; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
