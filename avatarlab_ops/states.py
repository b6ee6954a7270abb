"""The states of renders, their stages and the items of a bulk run, as they stand in the catalog; events."""

from __future__ import annotations

from enum import StrEnum


class RenderState(StrEnum):
    """Of a render: accepted, then running, then for good one of the other three."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StageState(StrEnum):
    """Of a stage of a render; a retry runs again. A stage that has not begun has no state."""

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
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class ItemState(StrEnum):
    """Of an item of a bulk run."""

    WAITING = "waiting"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (RenderState.ACCEPTED, RenderState.RUNNING)
LIVE = (*OPEN, RenderState.PUBLISHED)  # a request has at most one such render
FINAL = (RenderState.PUBLISHED, RenderState.FAILED, RenderState.CANCELLED)
SETTLED = (StageState.DONE, StageState.CACHED, StageState.NOT_NEEDED)  # nothing is left to do
