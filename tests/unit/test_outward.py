"""Where webhooks may go: to public addresses, however a private one is written."""

from __future__ import annotations

import ipaddress
import ssl

import pytest
from avatarlab_web import outward
from avatarlab_web.outward import may_reach

from avatarlab_ops import environment
from avatarlab_ops.errors import InputError

INSIDE = ("127.0.0.1", "10.0.0.8", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1")  # noqa: S104 - looked at
CARRIED = {
    "mapped": "::ffff:{0}",
    "compatible": "::{0}",
    "translated": "::ffff:0:{0}",
    "NAT64": "64:ff9b::{0}",
    "6to4": "2002:{1:04x}:{2:04x}::1",
}


def carrying(kind: str, inner: str) -> ipaddress.IPv6Address:
    number = int(ipaddress.IPv4Address(inner))
    return ipaddress.IPv6Address(CARRIED[kind].format(inner, number >> 16, number & 0xFFFF))


@pytest.mark.parametrize(
    "address", [*INSIDE, "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "64:ff9b:1::a00:1"]
)
def test_what_is_not_public_is_not_reached(address: str) -> None:
    assert not may_reach(ipaddress.ip_address(address))


@pytest.mark.parametrize("kind", CARRIED)
@pytest.mark.parametrize("inner", INSIDE)
def test_nor_is_it_by_an_address_of_ipv6_that_carries_it(kind: str, inner: str) -> None:
    assert not may_reach(carrying(kind, inner))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1"])
def test_what_is_public_is_reached(address: str) -> None:
    assert may_reach(ipaddress.ip_address(address))


@pytest.mark.parametrize("kind", CARRIED)
def test_what_an_operator_allows_is_reached_however_it_is_carried(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_WEBHOOK_NETWORKS", "10.0.0.0/24, 127.0.0.1/32")
    assert may_reach(carrying(kind, "10.0.0.8"))
    assert not may_reach(carrying(kind, "10.0.1.8"))


def test_what_is_no_network_is_told_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATARLAB_WEBHOOK_NETWORKS", "10.0.0.0/40")
    with pytest.raises(InputError, match=r"AVATARLAB_WEBHOOK_NETWORKS.*10\.1\.0\.0/16"):
        environment.read()


def test_whom_connections_trust_is_read_once_for_all_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 45 ms of the api-server's loop, in which a client is made each second."""
    read: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *given: object, **named: object) -> None:
        read.append(context)
        load(context, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    for _ in range(3):
        outward.client()
    assert len(read) <= 1
