"""200 open event streams of one API process: how late an update arrives, what they cost, what a stop takes.

The process serves the plugin's app on stores of its own; Airflow's login, which is checked once a stream, is
stood in for. Updates are written as stages write them, and an update's delay runs from its commit to its
arrival at a client's socket; the clients share the machine with the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from avatarlab_ops import pipeline
from avatarlab_ops.embedded import servers
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from kit import api_process

STREAMS, RENDERS, UPDATES, EACH_S = 200, 10, 20, 1.0
STAGE = "lipsync"
HEADERS = {"Authorization": "Bearer stood-in-for", "Host": "bench"}


@dataclass
class Heard:
    """What one client was told: arrival of each update, by (render, units done); state of each render."""

    arrived: dict[tuple[str, int], float] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    last: str = ""  # event id


def running(settings: Settings) -> list[str]:
    """Renders in the middle of a stage, without any Airflow run."""
    asked = AvatarRequest.parse({"script": "Hello.", "avatar": {"uri": "s3://inputs/nobody.png"}})
    made = []
    for _ in range(RENDERS):
        with transaction(settings.pg_dsn) as db:
            made.append(records.accept(db, asked, run_id=None, caller="bench"))
            records.begin_stage(db, made[-1], STAGE)
    return made


class Listener(asyncio.Protocol):
    """One stream, from where it was left; its own part of the delay is kept small."""

    def __init__(self, heard: Heard, ended: asyncio.Future[None]) -> None:
        self.heard, self.ended, self.rest = heard, ended, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        headers = (
            HEADERS | {"Host": "bench"} | ({"Last-Event-ID": self.heard.last} if self.heard.last else {})
        )
        lines = [f"{name}: {value}" for name, value in headers.items()]
        transport.write("\r\n".join(["GET /api/v1/events HTTP/1.1", *lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        """Keep what has come, and when."""
        at = time.monotonic()
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for line in lines:
            if line.startswith(b"id: "):
                self.heard.last = line[4:].decode()
            if line.startswith(b"data: "):
                hear(self.heard, told(line[6:]), at)

    def connection_lost(self, _error: Exception | None) -> None:
        """The stream is over."""
        if not self.ended.done():
            self.ended.set_result(None)


async def listen(port: int, heard: Heard) -> None:
    """Hear one stream until it ends."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: Listener(heard, ended), "127.0.0.1", port)
    try:
        await ended
    finally:
        transport.abort()


@lru_cache(maxsize=1000)  # all are told the same
def told(data: bytes) -> tuple[str, str, int]:
    """(render, its state, units done) of an event."""
    of = json.loads(data)
    return of["id"], of["state"], next(stage["done"] for stage in of["stages"] if stage["stage"] == STAGE)


def hear(heard: Heard, event: tuple[str, str, int], at: float) -> None:
    """Keep when which update arrived."""
    render, state, done = event
    heard.states[render] = state
    heard.arrived.setdefault((render, done), at)


def write(settings: Settings, renders: list[str], done: int) -> dict[tuple[str, int], float]:
    """Report progress of each render; return when it was committed."""
    written = {}
    report = {"done": done, "total": UPDATES, "unit": "frames", "rate": 1.0, "expected_end": None}
    for render in renders:
        with transaction(settings.pg_dsn) as db:
            records.report_progress(db, render, STAGE, report)
        written[render, done] = time.monotonic()
    return written


async def until(done: Any, patience_s: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + patience_s
    while not done() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return bool(done())


async def delays(settings: Settings, renders: list[str], clients: list[Heard], pid: int) -> list[str]:
    """Update all renders again and again while all clients listen."""
    server = psutil.Process(pid)
    written: dict[tuple[str, int], float] = {}
    before, begun = sum(server.cpu_times()[:2]), time.monotonic()
    for number in range(1, UPDATES + 1):
        written |= await asyncio.to_thread(write, settings, renders, number)
        await asyncio.sleep(EACH_S)
    cpu = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - begun)
    late = sorted(at - written[key] for one in clients for key, at in one.arrived.items() if key in written)
    whole = STREAMS * len(written)
    return [
        f"updates delivered          {len(late):,} of {whole:,} (the rest were overtaken by later ones)",
        f"delay p50 / p95 / max      {statistics.median(late):.2f} / {late[int(0.95 * len(late))]:.2f} / "
        f"{late[-1]:.2f} s",
        f"CPU of the server          {100 * cpu:.0f} % of one core",
    ]


async def rejoined(settings: Settings, renders: list[str], open_all: Any, clients: list[Heard]) -> list[str]:
    """Cut every stream, end every render, come back with Last-Event-ID: who is not told of an end?"""
    for render in renders:
        with transaction(settings.pg_dsn) as db:
            records.end_render(db, render, "cancelled", error="enough")
    streams = open_all()
    ended = dict.fromkeys(renders, "cancelled")
    await until(lambda: all(one.states == ended for one in clients), 30)
    for stream in streams:
        stream.cancel()
    missed = sum(one.states != ended for one in clients)
    return [f"reconnected, not told all  {missed} of {STREAMS} clients"]


async def stopped(pid: int, streams: list[asyncio.Task[None]]) -> list[str]:
    """Tell the server to stop while all streams are open."""
    begun = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    await asyncio.gather(*streams, return_exceptions=True)
    ended = time.monotonic()
    await until(lambda: not psutil.pid_exists(pid), 120)
    return [f"stop: streams / process    {ended - begun:.1f} / {time.monotonic() - begun:.1f} s"]


async def table(settings: Settings, server: api_process.Server) -> AsyncIterator[str]:
    """The figures, line by line."""
    renders, clients = running(settings), [Heard() for _ in range(STREAMS)]
    process = psutil.Process(server.pid)
    empty = process.memory_info().rss

    def open_all() -> list[asyncio.Task[None]]:
        return [asyncio.create_task(listen(server.port, one)) for one in clients]

    streams = open_all()
    assert await until(lambda: all(len(one.states) == RENDERS for one in clients), 60), "no stream opened"
    for line in await delays(settings, renders, clients, server.pid):
        yield line
    yield f"memory for the streams     {(process.memory_info().rss - empty) / 1e6:.0f} MB"
    for stream in streams:
        stream.cancel()
    for line in await rejoined(settings, renders, open_all, clients):
        yield line
    streams = open_all()
    await asyncio.sleep(3)
    for line in await stopped(server.pid, streams):
        yield line


async def report(settings: Settings, server: api_process.Server) -> None:
    """Print the figures as they come."""
    print(f"{STREAMS} streams, {RENDERS} renders updated every {EACH_S:.0f} s, {UPDATES} times")
    print(f"load average               {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    async for line in table(settings, server):
        print(line, flush=True)


def main() -> None:
    """Start stores and one API process, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "state"
        try:
            settings = servers.ensure(home)
            pipeline.prepare_stores(settings)
            here = os.environ | {"AIRFLOW_HOME": folder}
            with api_process.serving(settings, 1, here) as (server,):
                asyncio.run(report(settings, server))
        finally:
            servers.stop(home)


if __name__ == "__main__":
    main()
