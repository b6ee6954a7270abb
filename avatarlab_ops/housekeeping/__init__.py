"""What keeps the stores in order. Each chore looks at one kind of thing, and acts only when told to.

All of it may be killed at any moment and done again: records change in one transaction, objects are removed
under the lock of whoever would make them, and a second look finds what the first one left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from avatarlab_ops.housekeeping.artifacts import artifacts
from avatarlab_ops.housekeeping.chore import Alive, Chore, Job, Rules
from avatarlab_ops.housekeeping.clean import CHORES as _CLEAN
from avatarlab_ops.housekeeping.consents import ending
from avatarlab_ops.housekeeping.ended import CHORES as _ENDED
from avatarlab_ops.housekeeping.evict import CHORES as _EVICT
from avatarlab_ops.housekeeping.inputs import CHORES as _INPUTS
from avatarlab_ops.housekeeping.outputs import CHORES as _OUTPUTS
from avatarlab_ops.housekeeping.weights import weights
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import lock, transaction, upkeep

# First what ends renders and videos: that decides what the rest may remove.
CHORES = (*_ENDED, artifacts, *_OUTPUTS, *_INPUTS, weights, *_EVICT, *_CLEAN, ending)

APART = timedelta(minutes=5)  # of two clocks of which nobody can tell which is wrong

log = logging.getLogger(__name__)

__all__ = ["CHORES", "Alive", "Chore", "Rules", "keep_house"]


def keep_house(
    settings: Settings,
    rules: Rules | None = None,
    *,
    apply: bool = False,
    alive: Alive = lambda _: None,
    bulk_alive: Alive = lambda _: None,
    by_itself: bool = False,
    tell: Callable[[Chore], object] = lambda _: None,
) -> list[Chore]:
    """Look at everything, put it right if `apply`, and return what each chore found; `tell` hears it at once.

    `by_itself`: nobody has looked at what is found, so of what `apply` does only that is done which everybody
    expects: what was promised to end or to be forgotten, and what was left unfinished; nothing at all where
    this machine's clock and PostgreSQL's are more than `APART` apart.

    `alive` tells whether Airflow's run of an id goes on (True), is over or unknown (False), or cannot be
    asked (None); `bulk_alive` does so for runs of bulk runs. A chore that fails, or an object that cannot be
    removed, keeps none of the others from their turn; the round then ends with its error. Raises WorkInFlight
    while another process keeps house.
    """
    job = Job(settings, rules or Rules(), apply, alive, bulk_alive=bulk_alive, by_itself=by_itself)
    found: list[Chore] = []
    with lock(settings.pg_dsn, "housekeeping", wait_s=0):
        if by_itself and (apart := _apart(job)).found:
            job = replace(job, apply=False)
            found.append(apart)
            tell(apart)
        for chore in CHORES:
            try:
                done = chore(job)
            except Exception as error:
                log.exception("the chore %s failed; the others go on", chore.__name__)
                job.failed.append(error)
            else:
                found.append(done)
                tell(done)
    if job.failed:
        raise job.failed[0]
    return found


def _apart(job: Job) -> Chore:
    chore = Chore("clocks that differ")
    with transaction(job.settings.pg_dsn) as db:
        theirs = upkeep.clock(db)
    if abs(theirs - job.at) > APART:
        chore.add(
            f"this machine says {job.at:%Y-%m-%d %H:%M}, PostgreSQL {theirs:%Y-%m-%d %H:%M} (UTC): nothing "
            "is done by itself until they agree; set the wrong one"
        )
    return chore
