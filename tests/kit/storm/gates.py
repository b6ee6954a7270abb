"""A gate before each store: a TCP proxy that can be closed, that can swallow what passes, or be slow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

CHUNK = 1 << 16
HOST = "127.0.0.1"
T = TypeVar("T")


@dataclass
class Gate:
    """One address that leads to a store; `upstream` gives the port of the store as it is now."""

    name: str
    upstream: Callable[[], int]
    port: int = 0
    delay_s: float = 0.0
    closed: bool = False
    _open: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: nothing passes
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self) -> asyncio.Server:
        """Listen on a port of its own."""
        self._open.set()
        server = await asyncio.start_server(self._joined, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        self._ends.add(writer)
        try:
            with suppress(OSError, asyncio.CancelledError):  # cancelled: the gates are taken down
                await self._open.wait()
                there = await asyncio.open_connection(HOST, self.upstream())
                self._ends.add(there[1])
                try:
                    await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
                finally:
                    self._ends.discard(there[1])
                    there[1].transport.abort()
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await self._open.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            writer.write(chunk)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    def shut(self, *, silent: bool) -> None:
        """Let nothing pass: in silence, or by refusing and cutting every connection."""
        if silent:
            self._open.clear()
            return
        self.closed = True
        for end in list(self._ends):
            end.transport.abort()

    def opened(self) -> None:
        """Let everything pass again."""
        self.closed = False
        self._open.set()

    def slow(self, delay_s: float) -> None:
        """Each piece that passes comes `delay_s` late; 0: at once."""
        self.delay_s = delay_s


@contextmanager
def standing(upstreams: dict[str, Callable[[], int]]) -> Iterator[Gates]:
    """Gates that stand until the block ends, in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gates", daemon=True)
    thread.start()
    gates = Gates(loop, [Gate(name, upstream) for name, upstream in upstreams.items()])
    try:
        servers = [gates.run(gate.serve()) for gate in gates.each.values()]
        yield gates
        gates.run(_closed(servers))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Gates:
    """The gates by the names of their stores, for callers of other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gates: Iterable[Gate]) -> None:
        self._loop = loop
        self.each = {gate.name: gate for gate in gates}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives, run where the gates stand."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def shut(self, name: str, *, silent: bool) -> None:
        """As Gate.shut."""
        self._loop.call_soon_threadsafe(lambda: self.each[name].shut(silent=silent))

    def opened(self, name: str) -> None:
        """As Gate.opened."""
        self._loop.call_soon_threadsafe(self.each[name].opened)

    def slow(self, name: str, delay_s: float) -> None:
        """As Gate.slow."""
        self._loop.call_soon_threadsafe(self.each[name].slow, delay_s)


async def _closed(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
