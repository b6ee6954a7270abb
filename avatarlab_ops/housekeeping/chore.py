"""What a chore is given, and what it tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from avatarlab_ops.errors import InvariantBroken
from avatarlab_ops.housekeeping.strangers import DOUBT, strangers
from avatarlab_ops.retention import INTERMEDIATE_DAYS
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records

Alive = Callable[[str], bool | None]
MAX_NOTES = 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """How long things are left alone. How long a video is kept is its request's own label `retention`."""

    intermediates: timedelta = timedelta(days=INTERMEDIATE_DAYS)  # what nothing needs goes then
    max_bytes: int | None = None  # of all artifacts; beyond it, spare ones go before their time
    idle: timedelta = timedelta(days=1)  # renders without a run, a process or a sign of work
    uploads: timedelta = timedelta(days=1)  # that nobody completed; their addresses are good for an hour
    proofs: timedelta = timedelta(days=30)  # by the clock, that no consent names: nobody can make one again
    settle: timedelta = timedelta(hours=1)  # anything younger may be on its way somewhere


@dataclass(frozen=True)
class Job:
    """One round of housekeeping."""

    settings: Settings
    rules: Rules
    apply: bool
    alive: Alive
    at: datetime = field(default_factory=records.now)
    bulk_alive: Alive = lambda _: None
    by_itself: bool = False  # by the clock: nobody has looked at what is found
    failed: list[Exception] = field(default_factory=list)  # what ends the round, once all is looked at

    @property
    def repairs(self) -> bool:
        """Whether to act where records and stores disagree: not by itself, as either may be wrong."""
        return self.apply and not self.by_itself

    def tries(self, remove: Callable[[], object]) -> bool:
        """Whether it is removed; an object that the store refuses to give up stops none of the others."""
        try:
            return remove() is not False
        except InvariantBroken as error:
            log.exception("one thing is not removed; the others go on")
            self.failed.append(error)
            return False

    @cached_property
    def doubtful(self) -> bool:
        """Whether the catalog may lack records of what is needed; asked once a round: it lists a bucket."""
        return strangers(self.settings)

    def removes(self, chore: Chore) -> bool:
        """Whether to remove what no record needs: not by itself while a record may be missing."""
        if not (self.apply and self.by_itself and self.doubtful):
            return self.apply
        if DOUBT not in chore.notes:
            chore.notes.append(DOUBT)
        return False

    @property
    def settled(self) -> datetime:
        """What is older than this has come to rest."""
        return self.at - self.rules.settle


@dataclass
class Chore:
    """What one chore found: how many, how many bytes, how many it put right, and the first few by name."""

    name: str
    found: int = 0
    bytes: int = 0
    done: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, note: str, *, size: int = 0, done: bool = False) -> None:
        """Count one finding."""
        self.found += 1
        self.bytes += size
        self.done += done
        if len(self.notes) < MAX_NOTES:
            self.notes.append(note)
