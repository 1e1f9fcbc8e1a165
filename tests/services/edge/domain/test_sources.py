"""A client is told from others by a number that says nothing of its address, and cannot choose it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.sources import NOWHERE, Sources

SECRET = b"s" * 32
DIRECT = Sources(SECRET, forwarding_proxies=0)
BEHIND_TWO = Sources(SECRET, forwarding_proxies=2)


def test_an_address_has_one_number_whatever_its_port() -> None:
    assert DIRECT.of(("192.0.2.1", 40_000), ()) == DIRECT.of(("192.0.2.1", 40_001), ()) != NOWHERE
    assert DIRECT.of(("192.0.2.1", 40_000), ()) != DIRECT.of(("192.0.2.2", 40_000), ())
    assert DIRECT.of(("192.0.2.1", 40_000), ()) < 2**64


def test_another_edge_gives_another_number() -> None:
    other = Sources(b"t" * 32, forwarding_proxies=0)
    assert DIRECT.of(("192.0.2.1", 1), ()) != other.of(("192.0.2.1", 1), ())


def test_the_addresses_of_one_ipv6_network_are_one_client() -> None:
    first, second = ("2001:db8:0:1::1", 1, 0, 0), ("2001:db8:0:1:ffff::2", 1, 0, 0)
    assert DIRECT.of(first, ()) == DIRECT.of(second, ())
    assert DIRECT.of(first, ()) != DIRECT.of(("2001:db8:0:2::1", 1, 0, 0), ())
    assert DIRECT.of(("fe80::1%eth0", 1, 0, 2), ()) == DIRECT.of(("fe80::1", 1, 0, 2), ())


def test_ipv4_is_one_client_on_a_listener_of_both_families() -> None:
    assert DIRECT.of(("::ffff:192.0.2.1", 1, 0, 0), ()) == DIRECT.of(("192.0.2.1", 1), ())


@pytest.mark.parametrize("peer", [None, "", (), ("not an address", 1)])
def test_a_client_without_an_address_comes_from_nowhere(peer: tuple[object, ...] | str | None) -> None:
    assert DIRECT.of(peer, ()) == NOWHERE


def test_what_a_client_says_of_itself_is_not_believed() -> None:
    peer, own = ("192.0.2.1", 1), DIRECT.of(("192.0.2.1", 1), ())
    assert DIRECT.of(peer, [b"203.0.113.7"]) == own
    said = BEHIND_TWO.of(peer, [b"10.9.9.9, 203.0.113.7, 10.0.0.1"])
    assert said == BEHIND_TWO.of(peer, [b"10.8.8.8", b"203.0.113.7,10.0.0.1"])
    assert said == DIRECT.of(("203.0.113.7", 1), ())


@pytest.mark.parametrize("said", [(), (b"203.0.113.7",), (b"unknown, 10.0.0.1",)])
def test_a_proxy_that_says_no_address_stands_for_its_clients(said: tuple[bytes, ...]) -> None:
    assert BEHIND_TWO.of(("192.0.2.1", 1), said) == DIRECT.of(("192.0.2.1", 1), ())


@given(st.ip_addresses(), st.integers(0, 65535))
def test_a_proxy_that_says_the_port_too_says_the_same_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    behind = Sources(SECRET, forwarding_proxies=1)
    bare = f"[{address}]" if address.version == 6 else str(address)
    expected = DIRECT.of((str(address), 1), ())
    for said in (str(address), bare, f"{bare}:{port}", f'"{bare}:{port}"'):
        assert behind.of(("192.0.2.1", 1), [b"10.9.9.9", said.encode()]) == expected


@pytest.mark.parametrize(
    "said", [b"203.0.113.7:http", b"203.0.113.7:", b"[203.0.113.7", b"host:80", b"[]:80"]
)
def test_what_is_no_address_with_a_port_stands_for_the_proxy(said: bytes) -> None:
    behind = Sources(SECRET, forwarding_proxies=1)
    assert behind.of(("192.0.2.1", 1), [said]) == DIRECT.of(("192.0.2.1", 1), ())
