"""Who works and who waits: the pools, and the renders that have not ended."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence

from airflow.models.pool import Pool
from fastapi import APIRouter, Request
from fastapi.responses import Response

from avatarlab_ops.canonical import Json
from avatarlab_ops.engines import device
from avatarlab_ops.graph import OPEN_RUNS
from avatarlab_ops.places import POOLS
from avatarlab_ops.renders import approval, budget, listing, standing
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN
from avatarlab_ops.stores.catalog import line, transaction
from avatarlab_web.stores import Stores
from avatarlab_web.studio import words
from avatarlab_web.studio.access import Viewer
from avatarlab_web.studio.page import show
from avatarlab_web.studio.videos import card

SHOWN = 50  # renders
CROWDED = 0.75  # of the runs that may be open wait for approval: told before nothing may begin
BUDGETS_S = 10.0  # for which the part that moves shows the same ones
BUDGETS = 22  # one's own, everybody's, and of the others those who use most
router = APIRouter()


@router.get("/queue")
def queue(request: Request, who: Viewer, stores: Stores) -> Response:
    """The whole page."""
    return show(request, "queue.html", here="queue", **_now(stores, who.name, _budgets(stores, who.name)))


@router.get("/queue/live")
def live(request: Request, who: Viewer, stores: Stores) -> Response:
    """The part that moves."""
    budgets = _budgets_of(stores, who.name, int(time.monotonic() / BUDGETS_S))
    return show(request, "_queue.html", **_now(stores, who.name, budgets))


def _budgets(settings: Settings, caller: str) -> list[budget.Standing]:
    with transaction(settings.pg_dsn) as db:
        return budget.standing(db, caller)


@functools.lru_cache(maxsize=64)
def _budgets_of(settings: Settings, caller: str, _: int) -> list[budget.Standing]:
    """A day is summed for them: once in BUDGETS_S, however often the page looks."""
    return _budgets(settings, caller)


def _now(settings: Settings, caller: str, budgets: list[budget.Standing]) -> Json:
    page = listing.page(settings, listing.Wanted(states=OPEN, begun=True), limit=SHOWN)
    with transaction(settings.pg_dsn) as db:
        places, (waiting, _) = line.first(db, SHOWN), line.count(db, caller)
    return {
        "me": caller,
        "budgets": budgets[:BUDGETS],
        "working": _work(settings, page.renders[::-1]),  # who came first goes first
        "more": page.cursor is not None,
        "places": _places(settings, places),
        "rest": max(0, waiting - len(places)),
        "undecided": _undecided(settings),
        "open_runs": OPEN_RUNS,
        "pools": _pools(),
        "leases": device.holders(settings.home / device.FOLDER),
    }


def _places(settings: Settings, places: list[line.Place]) -> list[Json]:
    """Orders in line, with what a card shows of them; one that ended a moment ago is left out."""
    known = {one.render.id: one for one in listing.some(settings, [place.render_id for place in places])}
    return [
        card(known[place.render_id])
        | {"number": place.number, "class": place.priority.name.lower(), "begins": place.expected_start}
        for place in places
        if place.render_id in known
    ]


def _work(settings: Settings, listed: Sequence[listing.Listed]) -> list[Json]:
    found = standing.some(settings, [one.render.id for one in listed])
    return [
        card(one) | {"news": words.news(at.render.state, at.stages), "expected_end": at.expected_end}
        for one, at in ((one, found[one.render.id]) for one in listed)
    ]


def _undecided(settings: Settings) -> int:
    """Videos that wait for approval, where so many do that soon none may begin; else 0."""
    count = approval.waiting(settings)
    return count if count >= CROWDED * OPEN_RUNS else 0


def _pools() -> list[Json]:
    stats = Pool.slots_stats()
    return [
        {
            "name": name, "total": _most(stats[name]["total"]), "running": stats[name]["running"],
            "queued": stats[name]["queued"] + stats[name]["scheduled"],
        }
        for name in POOLS
        if name in stats
    ]  # fmt: skip


def _most(total: float) -> int | None:
    """Places of a pool; None where Airflow knows no limit (-1 slots), for which it tells infinity."""
    return None if math.isinf(total) else int(total)
