"""What an address leads to, however it is written. Pure: no test here opens anything."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.v1.addresses import LAN, LOOPBACK, NEVER, PUBLIC, kind

PLACES = {
    "8.8.8.8": PUBLIC, "1.1.1.1": PUBLIC, "172.15.255.255": PUBLIC, "172.32.0.0": PUBLIC, "223.255.255.255": PUBLIC,
    "100.63.255.255": PUBLIC, "100.128.0.0": PUBLIC, "2606:4700::1111": PUBLIC, "2a00::1": PUBLIC,
    "127.0.0.1": LOOPBACK, "127.255.255.254": LOOPBACK, "::1": LOOPBACK, "::ffff:127.0.0.1": LOOPBACK,
    "10.0.0.1": LAN, "172.16.0.1": LAN, "172.31.255.255": LAN, "192.168.1.1": LAN, "fd12:3456::1": LAN, "fc00::1": LAN,
    "::ffff:10.1.2.3": LAN,
    "0.0.0.0": NEVER, "0.1.2.3": NEVER, "100.64.0.1": NEVER, "100.100.100.200": NEVER, "169.254.169.254": NEVER,  # noqa: S104
    "169.254.170.2": NEVER, "168.63.129.16": NEVER, "192.0.0.192": NEVER, "192.0.2.1": NEVER, "198.18.0.1": NEVER,
    "198.51.100.1": NEVER, "203.0.113.7": NEVER, "224.0.0.1": NEVER, "239.1.1.1": NEVER, "240.0.0.1": NEVER,
    "255.255.255.255": NEVER, "192.88.99.1": NEVER,
    "::": NEVER, "::127.0.0.1": NEVER, "::8.8.8.8": NEVER, "::ffff:0:127.0.0.1": NEVER, "fe80::1": NEVER,
    "fe80::1%eth0": NEVER, "8000::1": NEVER, "fec0::1": NEVER, "ff02::1": NEVER, "fd00:ec2::254": NEVER,
    "fd20:ce::254": NEVER, "2001:db8::1": NEVER, "3fff::1": NEVER, "100::1": NEVER, "5f00::1": NEVER,
    "2001::1": NEVER, "2001:0:7f00:1::": NEVER, "2002:7f00:1::": NEVER, "2002:808:808::": NEVER,
    "64:ff9b::7f00:1": NEVER, "64:ff9b::a00:1": NEVER, "64:ff9b::a9fe:a9fe": NEVER, "64:ff9b::808:808": PUBLIC,
    "64:ff9b:1::808:808": NEVER, "64:ff9b:1::7f00:1": NEVER, "::ffff:169.254.169.254": NEVER,
}  # fmt: skip
INSIDE = [place for place, what in PLACES.items() if what != PUBLIC and ":" not in place]


@pytest.mark.parametrize("text", PLACES)
def test_each_kind_of_address_is_what_the_table_says(text: str) -> None:
    assert kind(ipaddress.ip_address(text)) == PLACES[text]


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_mapped_is_the_very_same_and_translated_is_public_or_nothing(address: IPv4Address) -> None:
    assert kind(IPv6Address(f"::ffff:{address}")) == kind(address)
    assert kind(IPv6Address(f"64:ff9b::{address}")) == (PUBLIC if kind(address) == PUBLIC else NEVER)


@given(st.sampled_from(INSIDE).map(IPv4Address), st.integers(0, 2**32 - 1))
def test_no_spelling_of_an_inner_address_is_public(address: IPv4Address, noise: int) -> None:
    number = int(address)
    spelt = [
        number,
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | number,
        0x2002 << 112 | number << 80 | noise,
        0x2001 << 112 | number << 64 | noise,
        0x2001 << 112 | noise << 64 | (number ^ 0xFFFF_FFFF),
    ]
    assert PUBLIC not in {kind(IPv6Address(each)) for each in spelt}


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_the_registries_call_special_is_never_public(address: IPv6Address) -> None:
    if kind(address) == PUBLIC and address not in ipaddress.ip_network("64:ff9b::/96"):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_public_is_never_wider_than_the_standard_library_says(address: IPv4Address) -> None:
    if kind(address) == PUBLIC:
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_private


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_loopback_and_lan_are_what_they_are_called(address: IPv4Address) -> None:
    assert (kind(address) == LOOPBACK) == address.is_loopback
    if kind(address) == LAN:
        assert address.is_private
