"""Connections to addresses that users name: never to a private network, whatever its name resolves to.

The address is looked up, judged and connected to in one step, so a name that resolves to another address the
next moment gains nothing.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from avatarlab_ops import environment

TIMEOUT_S = 20.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Whose last 32 bits are an address of IPv4: compatible (RFC 4291), translated (RFC 7915), NAT64 (RFC 6052).
_ENDING_IN_IPV4 = [ipaddress.IPv6Network(one) for one in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
_INSIDE = ipaddress.IPv6Network("64:ff9b:1::/48")  # NAT64 of a network's own (RFC 8215): it leads inside


def may_reach(address: Address) -> bool:
    """Whether it is public, or in a network that an operator allows; so is what it carries of IPv4."""
    allowed = environment.networks(environment.read().webhook_networks)
    return all(_is_public(one) or any(one in network for network in allowed) for one in _carried(address))


def _is_public(address: Address) -> bool:
    local = getattr(address, "is_site_local", False) or address in _INSIDE
    return address.is_global and not address.is_multicast and not local


def _carried(address: Address) -> list[Address]:
    """The addresses of IPv4 to which a gateway would send an address of IPv6 on, else itself.

    Beside those that end in it: mapped (RFC 4291), 6to4 (RFC 3056), Teredo (RFC 4380: server and client).
    """
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if any(address in prefix for prefix in _ENDING_IN_IPV4) and int(address) > 1:  # :: and ::1 are none
        return [ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)]
    inner = [one for one in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if one]
    return [*inner] or [address]


class _Public(httpcore.AsyncNetworkBackend):
    """Connects to addresses that may be reached, and to those alone."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge every address, connect to the first."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:  # not found, or no name at all by IDNA
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not all(may_reach(ipaddress.ip_address(address)) for address in addresses):
            raise httpcore.ConnectError(
                f"{host} is in a private network; AVATARLAB_WEBHOOK_NETWORKS can allow it"
            )
        return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep by the backend beneath."""
        await self._backend.sleep(seconds)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed; reading them takes 45 ms, and a client is made each second."""
    return httpx.create_ssl_context(trust_env=False)


def client() -> httpx.AsyncClient:
    """A client that follows no redirect and reads no proxy from the environment.

    Whoever uses it bounds how many connections there are: one waits for none that hangs.
    """
    transport = httpx.AsyncHTTPTransport(verify=_trusted(), trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=_trusted(), network_backend=_Public(),
        max_connections=None, max_keepalive_connections=10, keepalive_expiry=5.0,
    )  # fmt: skip
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
