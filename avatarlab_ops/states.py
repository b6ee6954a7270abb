"""States of renders, stages and bulk items, as they stand in the catalog; priorities; events; ratings."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal, get_args


class RenderState(StrEnum):
    """State of a render: accepted, then running, then for good one of the other three."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StageState(StrEnum):
    """State of a stage of a render; a retry runs again. A stage that has not begun has no state."""

    RUNNING = "running"
    WAITING = "waiting"  # for equal work that is done elsewhere
    AWAITING = "awaiting_approval"  # of a person, before it publishes
    DONE = "done"
    CACHED = "cached"  # its artifact existed
    NOT_NEEDED = "not_needed"
    FAILED = "failed"


class Event(StrEnum):
    """What happens to a render and others want to know."""

    ACCEPTED = "accepted"
    RUNNING = "running"  # admitted: its inputs are known by their digests
    AWAITING = "awaiting_approval"  # made; a person decides whether it is published
    LATE = "late"  # expected beyond its deadline, for the first time since that was set
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class BulkEvent(StrEnum):
    """What happens to a bulk run and others want to know; its renders have events of their own."""

    LATE = "late"  # expected beyond its deadline, for the first time since that was set
    FINISHED = "finished"  # every item has ended


class Outcome(StrEnum):
    """How a bulk run ended."""

    COMPLETED = "completed"  # to its end, and not all of it failed
    FAILED = "failed"  # given up as a whole, or nothing was published and something failed
    CANCELLED = "cancelled"  # an item of it was, at least


class ItemState(StrEnum):
    """State of an item of a bulk run."""

    WAITING = "waiting"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Priority of an ordered render: which of those that wait goes first."""

    INTERACTIVE = 0  # somebody sits and waits for it
    NORMAL = 1
    BULK = 2  # many, and there is time


Aspect = Literal["video", "voice", "lips", "matte", "timing"]
RATED: tuple[Aspect, ...] = get_args(Aspect)  # what people may rate: the video as a whole, then its parts
OPEN = (RenderState.ACCEPTED, RenderState.RUNNING)
LIVE = (*OPEN, RenderState.PUBLISHED)  # a request has at most one such render
FINAL = (RenderState.PUBLISHED, RenderState.FAILED, RenderState.CANCELLED)
PENDING = "pending"  # is said of a stage that has not begun
AT_WORK = (StageState.RUNNING, StageState.WAITING, StageState.AWAITING)
SETTLED = (StageState.DONE, StageState.CACHED, StageState.NOT_NEEDED)  # nothing is left to do
