"""What a call of the HTTP API takes, beside Airflow's own `dagRuns` in the same api-server and run.

Orders and runs are created one after the other and in turn, then several at once; the DAG is paused, so that
no task takes part. Then the catalog grows to a million renders, and each filter of the list is asked for a
page of the newest and, by a cursor, for one from the middle of all renders.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from avatarlab_ops import pipeline
from avatarlab_ops.embedded import control
from avatarlab_ops.places import RENDER_DAG
from avatarlab_ops.settings import Settings
from benchmarks import api_rows
from benchmarks.stages import request

OWN, AIRFLOWS = "/avatarlab/api/v1/renders", f"/api/v2/dags/{RENDER_DAG}/dagRuns"
CREATED, ASKED, AT_ONCE = 100, 40, 4
RENDERS = 1_000_000
Call = Callable[[int], httpx.Response]


def logged_in(home: Path, address: str) -> httpx.Client:
    """A client with an administrator's token."""
    password = json.loads((home / "airflow" / "passwords.json").read_text())["admin"]
    login = {"username": "admin", "password": password}
    token = httpx.post(f"{address}/auth/token", json=login).json()["access_token"]
    return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def took(call: Call, number: int) -> float:
    """Milliseconds of one call, which must succeed."""
    begun = time.perf_counter()
    call(number).raise_for_status()
    return 1000 * (time.perf_counter() - begun)


def percentiles(times: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(times), sorted(times)[int(0.95 * (len(times) - 1))]


def in_turn(name: str, own: Call, airflows: Call, times: int) -> str:
    """Both calls again and again, each after the other; a few before are not counted."""
    pairs = [(took(own, number), took(airflows, number)) for number in range(times + 5)][5:]
    ours, theirs = (percentiles(list(side)) for side in zip(*pairs, strict=True))
    return (
        f"{name:<32}{ours[0]:8.1f} / {ours[1]:6.1f} ms   Airflow {theirs[0]:8.1f} / {theirs[1]:6.1f} ms"
        f"   ratio {ours[0] / theirs[0]:.2f} / {ours[1] / theirs[1]:.2f}"
    )


def a_second(call: Call, first: int, times: int) -> float:
    """Calls a second, several at once."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: took(call, number), range(first, first + times)))
    return times / (time.perf_counter() - begun)


def at_once(name: str, own: Call, airflows: Call, times: int) -> str:
    """Calls a second of both, one after the other."""
    ours, theirs = (a_second(call, 10_000, times) for call in (own, airflows))
    return (
        f"{name:<32}{ours:8.1f} a second      Airflow {theirs:8.1f} a second      ratio {ours / theirs:.2f}"
    )


def creating(client: httpx.Client, settings: Settings) -> list[str]:
    """An order of its own for each number, as a render and as a run."""
    asked = request(settings, 1, 0)

    def own(number: int) -> httpx.Response:
        key = {"Idempotency-Key": f"bench-{number}"}
        return client.post(OWN, json=asked | {"seed": number}, headers=key)

    def airflows(number: int) -> httpx.Response:
        conf = asked | {"seed": number}
        body = {"dag_run_id": f"bench-{number}", "logical_date": None, "conf": conf}
        return client.post(AIRFLOWS, json=body)

    return [
        in_turn("create", own, airflows, CREATED),
        at_once(f"create, {AT_ONCE} at once", own, airflows, CREATED),
    ]


def listing(client: httpx.Client) -> list[str]:
    """The newest fifty."""

    def own(_: int) -> httpx.Response:
        return client.get(OWN, params={"limit": 50})

    def airflows(_: int) -> httpx.Response:
        return client.get(AIRFLOWS, params={"limit": 50, "order_by": "-run_after"})

    return [
        in_turn("list, 50 newest", own, airflows, ASKED),
        at_once(f"list, {AT_ONCE} at once", own, airflows, ASKED),
    ]


def filters(count: int) -> dict[str, dict[str, Any]]:
    """What is asked of the million, by name."""
    ago = datetime.now(UTC) - timedelta(seconds=30 * count // 2)
    middle = base64.urlsafe_b64encode(f"{ago.isoformat()} ~".encode()).decode()
    found: dict[str, dict[str, Any]] = {
        "nothing": {},
        "state, most have it": {"state": "published"},
        "state, one in a hundred": {"state": "failed"},
        "state, few and long ago": {"state": "cancelled"},
        "state, none": {"state": "running"},
        "two states": {"state": ["failed", "cancelled"]},
        "label, one in ten": {"label": "team:t3"},
        "label, one in 500": {"label": "campaign:c7"},
        "label, 5000 long ago": {"label": "campaign:old"},
        "label, one render": {"label": "order:7"},
        "label, nobody's": {"label": "campaign:none"},
        "avatar, hot": {"avatar": "s3://inputs/avatars/0.png"},
        "avatar, rare": {"avatar": "s3://inputs/avatars/199.png"},
        "avatar, 5000 long ago": {"avatar": "s3://inputs/avatars/old.png"},
        "avatar, none": {"avatar": "s3://inputs/avatars/none.png"},
        "caller, one in three": {"caller": "caller-1"},
        "caller, 5000 long ago": {"caller": "caller-old"},
        "caller, nobody": {"caller": "nobody"},
        "since an hour": {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
        "since the beginning": {"since": "2000-01-01T00:00:00Z"},
        "caller and state": {"caller": "caller-1", "state": "failed"},
        "caller and label": {"caller": "caller-1", "label": "team:t3"},
    }
    from_the_middle = {
        f"{name}, from the middle": asked | {"cursor": middle} for name, asked in found.items()
    }
    return found | from_the_middle


def grown(client: httpx.Client, settings: Settings, count: int) -> list[str]:
    """Pages of fifty of so many renders, by each filter, beside a call that asks nothing of a large table."""
    model = pipeline.render(settings, request(settings, 1, 0, output={"resolution": "360p"})).render_id
    api_rows.grow(settings, model, count)

    def asking(path: str, asked: dict[str, Any]) -> list[float]:
        def call(_: int) -> httpx.Response:
            return client.get(path, params=asked)

        return [took(call, number) for number in range(ASKED + 3)][3:]

    asked = {f"list: {name}": asking(OWN, wanted) for name, wanted in filters(count).items()}
    asked["one render"] = asking(f"{OWN}/{model}", {})
    asked["Airflow's list"] = asking(AIRFLOWS, {"limit": 50, "order_by": "-run_after"})
    return [
        f"{name:<46}{middle:8.1f} / {late:6.1f} ms"
        for name, (middle, late) in ((name, percentiles(times)) for name, times in asked.items())
    ]


def main() -> None:
    """Start an Airflow of its own, and print the figures as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=RENDERS, help="grow to so many")
    count = parser.parse_args().renders
    print(platform.platform(), f"{os.cpu_count()} cores; median / 95th percentile", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".avatarlab"
        os.environ |= {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0"}
        try:
            state = control.up(home, print)
            settings = Settings.from_env()
            with logged_in(home, state.address) as client:
                client.patch(f"/api/v2/dags/{RENDER_DAG}", json={"is_paused": True}).raise_for_status()
                print(*creating(client, settings), *listing(client), sep="\n", flush=True)
                print(f"\n{count:,} renders", *grown(client, settings, count), sep="\n", flush=True)
        finally:
            control.down(home)


if __name__ == "__main__":
    main()
