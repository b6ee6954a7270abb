"""Callers who go on ordering while the storm blows, and ask again until they are answered."""

from __future__ import annotations

import csv
import io
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
from kit.running_site import AVATAR, request
from kit.storm.place import Place

from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import AvatarlabError, KeyReused
from avatarlab_ops.places import BULK_DAG, OVER
from avatarlab_ops.states import OPEN
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

LOOK_S = 0.5
AHEAD = 5  # single renders that may be open at a time
BULK_EVERY_S, BULK_ITEMS = 240.0, 8
AWAY = (AvatarlabError, httpx.HTTPError, sa.exc.SQLAlchemyError, OSError, KeyError, ValueError)
WORDS = ("Hold on.", "Nearly there.", "Once more.", "Never mind.", "Here we go.")


@dataclass
class Asked:
    """What was asked for, and what was answered."""

    answers: dict[str, set[str]] = field(default_factory=dict)  # key -> render ids that were answered
    bulk: dict[str, int] = field(default_factory=dict)  # accepted bulk run -> items
    continued: int = 0  # times that a bulk run which had failed was asked for again
    unanswered: int = 0  # orders that came to nothing and were sent again
    quarrels: list[str] = field(default_factory=list)  # refusals that no caller deserves


class Callers(threading.Thread):
    """One thread that orders single renders and bulk runs until `over`, then what is left unanswered."""

    def __init__(self, place: Place, seed: int) -> None:
        super().__init__(name="callers", daemon=True)
        self.place, self.seed = place, seed
        self.asked, self.over = Asked(), threading.Event()
        self._waiting: list[str] = []
        self._number = 0
        self._client: AirflowClient | None = None
        self._address = ""
        self._bulk_at, self._begun = 30.0, 0.0

    def run(self) -> None:
        """Order, look, order again."""
        self._begun = time.monotonic()
        while not self.over.wait(LOOK_S):
            self.step(new=True)

    def close(self) -> None:
        """Let go of the connection."""
        if self._client:
            self._client.__exit__()

    def step(self, *, new: bool) -> bool:
        """One look: order what is due; True once nothing waits for an answer."""
        if new and len(self._waiting) < 2 and self._open() < AHEAD:
            self._number += 1
            self._waiting.append(f"storm-{self.seed}-{self._number}")
        for key in list(self._waiting):
            if self._order(key):
                self._waiting.remove(key)
        if new and time.monotonic() - self._begun > self._bulk_at:
            self._bulk(f"storm-{self.seed}-bulk-{len(self.asked.bulk) + 1}")
        return not self._waiting

    def client(self) -> AirflowClient:
        """At the address that Airflow has now."""
        address = str(read_state(self.place.site.home)["address"])
        if self._client is None or address != self._address:
            if self._client:
                self._client.__exit__()
            self._client, self._address = AirflowClient.from_home(self.place.site.home), address
        return self._client

    def _open(self) -> int:
        query = sa.select(sa.func.count()).select_from(m.Render).join(m.Request)
        single = sa.and_(m.Render.state.in_(OPEN), m.Request.idempotency_key.like("storm-%"))
        try:
            with transaction(self.place.direct.pg_dsn) as db:
                return int(db.scalar(query.where(single)) or 0)
        except AWAY:
            return AHEAD

    def _order(self, key: str) -> bool:
        number = int(key.rpartition("-")[2])
        script = f"{WORDS[number % len(WORDS)]} This is number {number}."
        try:
            told = self.client().order(request(script=script, idempotency_key=key, captions="none"))
        except KeyReused as error:
            self.asked.quarrels.append(f"{key}: {error}")
            return True
        except AWAY:
            self.asked.unanswered += 1
            return False
        self.asked.answers.setdefault(key, set()).add(str(told["id"]))
        return True

    def _bulk(self, name: str) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["script", "avatar.uri", "output.resolution", "output.aspect", "captions", "seed"])
        first = 1000 * (len(self.asked.bulk) + 1)
        writer.writerows(
            [WORDS[n % len(WORDS)], AVATAR, "360p", "1:1", "none", first + n] for n in range(BULK_ITEMS)
        )
        try:
            content = text.getvalue().encode()
            objects(self.place.direct).put_if_absent("inputs", f"bulk/{name}.csv", content)
            self.client().trigger(name, self.spec(name), BULK_DAG)
        except AWAY:
            self.asked.unanswered += 1
            return
        self.asked.bulk[name] = BULK_ITEMS
        self._bulk_at += BULK_EVERY_S

    def spec(self, name: str) -> dict[str, Any]:
        """The bulk run of a name as it is asked for."""
        return {"file": f"s3://inputs/bulk/{name}.csv", "name": name}

    def continue_bulk(self) -> bool:
        """Ask again for bulk runs whose Airflow run failed; True once all are done."""
        done = True
        for name in self.asked.bulk:
            runs = [run for run in self.client().runs(BULK_DAG, 100) if run["dag_run_id"].startswith(name)]
            states = {run["state"] for run in runs}
            if "success" in states:
                continue
            done = False
            if states <= set(OVER):
                self.client().regenerate(self.spec(name), name)
                self.asked.continued += 1
        return done
