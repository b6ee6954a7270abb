"""Equal work in flight runs once across processes; a waiter gives way, and takes over from the dead."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from kit.eventually import eventually
from rich.console import Console

from avatarlab_ops import pipeline
from avatarlab_ops.cli.watch import Board
from avatarlab_ops.errors import WorkInFlight
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import lock, waiting
from avatarlab_ops.stores.catalog.waiting import decided, work_ended

GPU = ("speech", "matte", "lipsync")
WORKER = """
import json, sys
from pathlib import Path
from avatarlab_ops import graph, pipeline
from avatarlab_ops.settings import Settings
known = json.loads(sys.stdin.readline())
settings = Settings(**known | {"home": Path(known["home"])})
for stage in graph.STAGES:
    print(stage, "begins", flush=True)
    report = lambda done, total, unit: print(stage, "works", flush=True)
    pipeline.run_stage(settings, sys.argv[1], stage, report=report)
"""


def _submitted(stores: Settings, portrait: str, script: str, who: str) -> str:
    asked = {"script": script, "avatar": {"uri": portrait}, "labels": {"who": who}}
    return pipeline.submit(stores, asked | {"output": {"resolution": "360p"}, "background": {"kind": "blur"}})


@contextmanager
def _worker(stores: Settings, render_id: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WORKER, render_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(asdict(stores) | {"home": str(stores.home)}) + "\n")
        worker.stdin.flush()
        try:
            yield worker
        finally:
            worker.kill()


def _drain(worker: subprocess.Popen[str]) -> int:
    assert worker.stdout is not None
    for _ in worker.stdout:
        pass
    return worker.wait()


def _states(stores: Settings, render_id: str) -> dict[str, str]:
    return {stage.stage: stage.state for stage in status.of(stores, render_id).stages}


def test_two_equal_requests_started_together_run_each_stage_once(stores: Settings, portrait: str) -> None:
    ids = [_submitted(stores, portrait, "Both want this.", who) for who in ("one", "two")]
    with _worker(stores, ids[0]) as one, _worker(stores, ids[1]) as two:
        assert [_drain(one), _drain(two)] == [0, 0]
    states = [_states(stores, render_id) for render_id in ids]
    for stage in GPU:
        assert sorted(state[stage] for state in states) == ["cached", "done"], stage
    assert [status.of(stores, render_id).state for render_id in ids] == ["published"] * 2


def test_who_waits_takes_over_from_who_is_killed_at_work(stores: Settings, portrait: str) -> None:
    ids = [_submitted(stores, portrait, "One of us will not live to see this.", w) for w in ("old", "young")]
    with _worker(stores, ids[0]) as old, _worker(stores, ids[1]) as young:
        assert old.stdout is not None
        assert young.stdout is not None
        _until(old, "lipsync begins")
        _until(young, "lipsync begins")
        killed = _who_works(old, young)
        killed.kill()
        survivor, heir = (young, ids[1]) if killed is old else (old, ids[0])
        assert _drain(survivor) == 0
    assert _states(stores, heir)["lipsync"] == "done"
    assert status.of(stores, heir).state == "published"


def _until(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdout is not None
    assert any(said.strip() == line for said in worker.stdout), f"ended before {line!r}"


def _who_works(*workers: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """The first that reports from its stage; the other waits for the lock and says nothing."""
    found: list[subprocess.Popen[str]] = []
    heard = threading.Event()

    def listen(worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        if worker.stdout.readline():
            found.append(worker)
            heard.set()

    for worker in workers:
        threading.Thread(target=listen, args=[worker], daemon=True).start()
    assert heard.wait(120)
    return found[0]


@pytest.fixture
def busy(stores: Settings, portrait: str) -> Iterator[tuple[str, WorkInFlight, threading.Event]]:
    """A render whose speech is being made elsewhere, and the event that ends that."""
    render_id = _submitted(stores, portrait, "Somebody says this already.", "busy")
    pipeline.run_stage(stores, render_id, "admit")
    name = _lock_of_speech(stores, render_id)
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        with lock(stores.pg_dsn, name, wait_s=10):
            held.set()
            end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    try:
        with pytest.raises(WorkInFlight) as caught:
            pipeline.run_stage(stores, render_id, "speech", wait=False)
        yield render_id, caught.value, end
    finally:
        end.set()
        holder.join()


def _lock_of_speech(stores: Settings, render_id: str) -> str:
    from avatarlab_ops.graph import BY_NAME, recipe
    from avatarlab_ops.plan import Plan
    from avatarlab_ops.stores.catalog import records, transaction

    with transaction(stores.pg_dsn) as db:
        wanted = recipe(BY_NAME["speech"], Plan.model_validate(records.find(db, render_id).plan), {})
    assert wanted is not None
    return f"artifact {wanted.fingerprint}"


def test_who_does_not_wait_is_told_what_for_and_goes_on_when_it_ends(
    stores: Settings, busy: tuple[str, WorkInFlight, threading.Event]
) -> None:
    render_id, error, end = busy
    assert _states(stores, render_id)["speech"] == "waiting"
    told = Console(file=io.StringIO(), record=True)
    Board(told).show(status.of(stores, render_id))
    text = told.export_text()
    assert "speech: waiting for equal work\n" in text
    assert re.search(r"expected end \d\d:\d\d:\d\d \([\d.]+ s of work, [\d.]+ of them GPU-seconds\)", text)

    async def both() -> list[str]:
        waits = [asyncio.create_task(work_ended(stores.pg_dsn, error.lock, render_id)) for _ in range(2)]
        done, _ = await asyncio.wait(waits, timeout=0.5)
        assert not done
        end.set()
        return await asyncio.wait_for(asyncio.gather(*waits), 30)

    assert asyncio.run(both()) == ["equal work has ended"] * 2
    pipeline.run_stage(stores, render_id, "speech", wait=False)
    speech = next(stage for stage in status.of(stores, render_id).stages if stage.stage == "speech")
    assert (speech.state, speech.attempt) == ("done", 1)


def test_a_wait_ends_with_its_render(
    stores: Settings, busy: tuple[str, WorkInFlight, threading.Event], monkeypatch: Any
) -> None:
    render_id, error, _ = busy
    monkeypatch.setattr(waiting, "LOOK_S", 1)
    pipeline.cancel(stores, render_id)
    assert asyncio.run(work_ended(stores.pg_dsn, error.lock, render_id)) == "the render has ended"


def test_a_wait_ends_when_the_server_is_away(stores: Settings) -> None:
    away = replace(stores, pg_dsn="postgresql://nobody@127.0.0.1:9/none")
    assert "did not answer" in asyncio.run(work_ended(away.pg_dsn, "artifact x", "none"))


def test_however_many_wait_the_server_sees_one_connection_for_each_thing_that_is_waited_for(
    stores: Settings,
) -> None:
    about = {
        "SELECT pg_advisory_lock_shared%": lambda: work_ended(stores.pg_dsn, "artifact crowd", "none"),
        "%WHERE id = ANY%approved_at%": lambda: decided(stores.pg_dsn, [f"crowd-{uuid4()}"]),
    }

    async def crowd() -> dict[str, int]:
        waits = [asyncio.create_task(wait()) for wait in about.values() for _ in range(30)]
        await asyncio.to_thread(eventually, lambda: all(connections(stores, query) for query in about))
        found = {query: connections(stores, query) for query in about}
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        return found

    with lock(stores.pg_dsn, "artifact crowd", wait_s=1):
        assert asyncio.run(crowd()) == dict.fromkeys(about, 1)


def connections(stores: Settings, query: str) -> int:
    """How many connections began with this last."""
    with psycopg.connect(stores.pg_dsn) as db:
        found = db.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s", [query]).fetchone()
    return int(found[0]) if found else 0
