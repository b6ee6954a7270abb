"""Orders to two API processes of which one is killed at a random moment: each is one render and one run."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
from kit.api_process import Server
from kit.eventually import eventually

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m

LATEST_S = 0.3  # the kill, after the orders were sent: an order and its start take less than that
HEADERS = {"Authorization": "Bearer stood-in-for"}


@dataclass
class Told:
    """What the callers were told, and where the kills fell."""

    ids: dict[str, set[str]] = field(default_factory=dict)  # render ids answered, by key
    unbegun: int = 0  # kills that left an order recorded and not begun


def fire(settings: Settings, servers: list[Server], body: dict[str, Any], rounds: int, seed: int) -> Told:
    """In each round two callers send one order to both processes, a third sends another and gives up."""
    chance, told = random.Random(seed), Told()  # noqa: S311 (the same kills under the same seed)
    for number in range(rounds):
        victim, other = chance.sample(servers, 2)
        with ThreadPoolExecutor(3) as pool:
            both = [
                pool.submit(order, (first, second), body, f"both-{number}")
                for first, second in ((victim, other), (other, victim))
            ]
            pool.submit(order_once, victim, body, f"once-{number}")
            time.sleep(chance.uniform(0, LATEST_S))
            victim.kill()
            told.unbegun += bool(waiting(settings))
            victim.start()
            told.ids[f"both-{number}"] = {one.result() for one in both}
    return told


def order(servers: tuple[Server, Server], body: dict[str, Any], key: str) -> str:
    """The render's id, from whichever process is there to tell it."""
    for server in itertools.islice(itertools.cycle(servers), 100):
        try:
            return order_once(server, body, key)
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"nobody took the order {key}")


def order_once(server: Server, body: dict[str, Any], key: str) -> str:
    headers = HEADERS | {"Idempotency-Key": key}
    answer = httpx.post(f"{server.address}/renders", json=body, headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def waiting(settings: Settings) -> list[str]:
    """Runs that are ordered and not begun, as far as the catalog knows."""
    query = sa.select(m.Outbox.key).where(m.Outbox.topic == records.RUNS, m.Outbox.delivered_at.is_(None))
    with transaction(settings.pg_dsn) as db:
        return list(db.scalars(query))


def renders(settings: Settings) -> dict[str, list[m.Render]]:
    """Every render, by the key that it was ordered under."""
    found: dict[str, list[m.Render]] = {}
    query = sa.select(m.Request.idempotency_key, m.Render).join(m.Render, m.Render.request_id == m.Request.id)
    with transaction(settings.pg_dsn) as db:
        for key, render in db.execute(query.where(m.Request.caller == "anna")):
            found.setdefault(str(key), []).append(render)
    return found


def check(settings: Settings, told: Told, runs: list[str]) -> None:
    """`runs`: ids of the runs that have begun, in whatever order."""
    made = renders(settings)
    assert {key: len(those) for key, those in made.items() if len(those) != 1} == {}, "ordered twice"
    for key, ids in told.ids.items():
        assert ids == {made[key][0].id}, f"{key} was answered with another render"
    begun = Counter(runs)
    assert begun == Counter(str(those[0].run_id) for those in made.values()), "a run is lost, or double"


def settled(settings: Settings) -> None:
    """Wait until every order is carried out."""
    eventually(lambda: not waiting(settings), end_s=60)
