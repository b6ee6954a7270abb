"""Every kind of fault for some minutes, by a seed, and every promise held against what is left.

`make chaos-run` with STORM_MINUTES (15), STORM_SEED (else drawn; it is printed) and STORM_FAULTS (of each
kind, else 7 a minute). The report is out/storm-SEED.html.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from kit.running_site import ROOT, surrounded_by
from kit.storm import checker, history, page, place, schedule
from kit.storm.hand import Hand, StandBy, left_stopped
from kit.storm.stream import AWAY, Callers

from avatarlab_ops import pipeline
from avatarlab_ops.engines import device
from avatarlab_ops.states import OPEN
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.version import code_version

MINUTES = float(os.environ.get("STORM_MINUTES") or 15)
SEED = int(os.environ.get("STORM_SEED") or random.SystemRandom().randrange(10_000))
FAULTS = int(os.environ.get("STORM_FAULTS") or max(1, round(7 * MINUTES)))
SETTLE_S = 1200.0  # after the storm, for what was accepted to end
LOOK_S = 0.25


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    """The storm has a site of its own."""


@pytest.fixture
def somewhere(tmp_path: Path) -> Iterator[place.Place]:
    with place.standing(tmp_path) as found, surrounded_by(found.site.environment):
        pipeline.prepare_stores(found.direct)
        yield found


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + SETTLE_S + 900)
def test_a_storm_breaks_no_promise(somewhere: place.Place) -> None:
    print(f"\nstorm of seed {SEED}, {MINUTES:g} minutes, {FAULTS} faults of each kind", flush=True)
    begun, hand, callers = datetime.now(UTC), Hand(somewhere), Callers(somewhere, SEED)
    found = history.History(callers.asked.answers, callers.asked.bulk)
    facts = blow(somewhere, hand, callers, found)
    steps = [one for one in hand.done if one.fault.kind == "clock step" and one.hit]
    found.steps = history.steps(begun, [(one.began_s, one.ended_s, one.fault.size) for one in steps])
    history.read(somewhere.direct, found)
    report = told(begun, hand, found, somewhere)
    report.facts = facts | told_of(callers, found, report)
    path = written(report, found)
    for log in (somewhere.site.home / "logs").glob("*.log"):  # their disk is gone with the storm
        shutil.copy(log, path.with_name(f"{path.stem}-{log.name}"))
    print(*hand.troubles[:20], f"report: {path}", sep="\n")
    for verdict in report.verdicts:
        print(f"{'holds' if verdict.holds else 'BROKEN'}  {verdict.promise} ({verdict.looked_at})")
        print(*(f"    {text}\n" for text in verdict.findings[:20]), sep="", end="")
    assert not callers.asked.quarrels
    assert report.holds, f"seed {SEED}: see {path}"


def blow(somewhere: place.Place, hand: Hand, callers: Callers, found: history.History) -> dict[str, object]:
    """The storm, and the calm after it in which all ends; figures of both."""
    kinds = [kind for kind in schedule.KINDS if kind not in somewhere.lacking]
    stand_by, watch = StandBy(somewhere.site.home), Watch(somewhere.site.home)
    for thread in (callers, stand_by, watch):
        thread.start()
    hand.storm(schedule.draw(SEED, MINUTES, FAULTS, kinds))
    hand.heal()
    left = left_stopped(somewhere.site.home)
    callers.over.set()
    callers.join(120)
    settled_s = settle(somewhere, callers)
    callers.close()
    for thread in (stand_by, watch):
        thread.over.set()
        thread.join(400)
    found.most_held = watch.most
    return {
        "settled after the storm": f"{settled_s:.0f} s",
        "supervisor started again": stand_by.starts,
        "troubles of these starts": "; ".join(sorted(set(stand_by.troubles))) or "none",
        "processes that a pause had left stopped": len(left),
    }


class Watch(threading.Thread):
    """Looks how many slots of the device are held."""

    def __init__(self, home: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self.folder, self.over, self.most = home / device.FOLDER, threading.Event(), 0

    def run(self) -> None:
        """Until `over`."""
        while not self.over.wait(LOOK_S):
            self.most = max(self.most, len(device.holders(self.folder)))


def settle(somewhere: place.Place, callers: Callers) -> float:
    """Wait until all that was accepted has ended and was told; seconds that it took."""
    begun, said = time.monotonic(), ""
    while time.monotonic() - begun < SETTLE_S:
        try:
            answered = callers.step(new=False)
            if answered and callers.continue_bulk() and not unfinished(somewhere):
                break
        except AWAY as error:
            if (why := f"  settling: {str(error)[:200]}") != said:
                print(said := why, flush=True)
        threading.Event().wait(2)
    return time.monotonic() - begun


def unfinished(somewhere: place.Place) -> int:
    """Renders, messages and Airflow's runs that have not ended."""
    waiting = sa.and_(m.Outbox.delivered_at.is_(None), m.Outbox.dead_at.is_(None))
    with transaction(somewhere.direct.pg_dsn) as db:
        renders = db.scalar(sa.select(sa.func.count()).where(m.Render.state.in_(OPEN))) or 0
        messages = db.scalar(sa.select(sa.func.count()).select_from(m.Outbox).where(waiting)) or 0
    now = history.History()
    history.runs_and_tasks(somewhere.direct, now)
    runs = sum(state not in ("success", "failed") for state in now.runs.values())
    return renders + messages + runs + len(now.tasks_open)


def told(begun: datetime, hand: Hand, found: history.History, somewhere: place.Place) -> page.Report:
    ends: dict[str, list[float]] = {"published": [], "failed": []}
    with transaction(somewhere.direct.pg_dsn) as db:
        rows = list(db.execute(sa.select(m.Render.state, m.Render.ended_at, m.Render.error)))
    for state, ended_at, _ in rows:
        if ended_at:
            ends.setdefault(state, []).append(max(0.0, (ended_at - begun).total_seconds()))
    reasons = Counter(str(error)[:160] for state, _, error in rows if state == "failed")
    return page.Report(
        SEED, MINUTES, FAULTS, f"{begun:%Y-%m-%d %H:%M} UTC", checker.judge(found), hand.done,
        somewhere.lacking, ends, reasons,
    )  # fmt: skip


def told_of(callers: Callers, found: history.History, report: page.Report) -> dict[str, object]:
    """What the page tells of callers, renders and machine."""
    asked, states = callers.asked, Counter(render.state for render in found.renders)
    timed = sum(bool(made.slots) for made in found.artifacts.values())
    ends = [end for ends in report.ends_s.values() for end in ends]
    return {
        "single orders answered": len(asked.answers),
        "orders sent again for want of an answer": asked.unanswered,
        "bulk runs": f"{len(asked.bulk)}, asked again {asked.continued} times",
        "items of bulk runs": sum(asked.bulk.values()),
        "renders": ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
        "renders that ended while the storm blew": sum(end < MINUTES * 60 for end in ends),
        "most slots seen held": f"{found.most_held} of {found.places}",
        "device work whose times can be believed": f"{len(list(checker.at_work(found)))} of {timed}",
        "cores": len(os.sched_getaffinity(0)),
        "load": " ".join(f"{value:.1f}" for value in os.getloadavg()),
        "code": code_version(),
        "slow": "answers of a store pass its gate late; no disk was slowed",
        "clock step": "of Airflow's parts and tasks, not of the stores",
    }


def written(report: page.Report, found: history.History) -> Path:
    """The page, and beside it what it was made from."""
    folder = ROOT / "out"
    folder.mkdir(exist_ok=True)
    path = folder / f"storm-{SEED}.html"
    path.write_text(page.html(report), encoding="utf-8")
    path.with_suffix(".json").write_text(page.document(found, report))
    return path
