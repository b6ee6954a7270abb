"""Connections to addresses that users name: never to a private network, whatever its name resolves to.

The address is looked up, judged and connected to in one step, so a name that resolves to another address the
next moment gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from avatarlab_ops import environment
from avatarlab_ops.errors import InputError

TIMEOUT_S = 20.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def allowed() -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Networks that an operator lets webhooks reach beside the public ones. Raises InputError."""
    named = environment.read().webhook_networks
    try:
        return tuple(ipaddress.ip_network(text.strip()) for text in named.split(",") if text.strip())
    except ValueError as error:
        raise InputError(f"AVATARLAB_WEBHOOK_NETWORKS: {error}; write for example 10.1.0.0/16") from error


def may_reach(address: Address) -> bool:
    """Whether it is public, or in a network that an operator allows."""
    inner = getattr(address, "ipv4_mapped", None) or address
    return (inner.is_global and not inner.is_multicast) or any(inner in network for network in allowed())


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
        except socket.gaierror as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not all(may_reach(ipaddress.ip_address(address)) for address in addresses):
            raise httpcore.ConnectError(
                f"{host} is in a private network; AVATARLAB_WEBHOOK_NETWORKS can allow it"
            )
        return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """As the backend beneath does."""
        await self._backend.sleep(seconds)


def client() -> httpx.AsyncClient:
    """A client that follows no redirect and reads no proxy from the environment."""
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_Public()
    )
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
