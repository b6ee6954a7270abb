"""What caching does for each stage and engine: what is kept, how often it was found again, what it saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json

# Answered by ix_artifact_kept alone: artifacts are many, and their rows wide.
KEPT = """
SELECT kept.*, engine.name || '@' || engine.version AS engine FROM (
    SELECT stage, engine_version_id AS engine_id,
        count(*) FILTER (WHERE evicted_at IS NULL) AS kept,
        coalesce(sum(bytes) FILTER (WHERE evicted_at IS NULL), 0)::bigint AS bytes,
        count(evicted_at) AS evicted
    FROM artifact GROUP BY engine_version_id, stage
) AS kept LEFT JOIN engine_version AS engine ON engine.id = kept.engine_id
"""

# Walks ix_stage_run_ended over the period. A stage that found its artifact saved what making it had cost.
USED = """
SELECT run.stage, made.engine_version_id AS engine_id,
    count(*) FILTER (WHERE run.state = 'cached') AS hits,
    count(*) FILTER (WHERE run.state = 'done') AS misses,
    coalesce(sum(run.compute_s) FILTER (WHERE run.state = 'done'), 0) AS spent_s,
    coalesce(sum(made.compute_s) FILTER (WHERE run.state = 'cached'), 0) AS saved_s
FROM stage_run AS run JOIN artifact AS made ON made.fingerprint = run.artifact
WHERE run.ended_at >= :since AND run.state IN ('done', 'cached')
GROUP BY run.stage, made.engine_version_id
"""

WAITING = """
SELECT stage, count(*) AS stages FROM stage_run WHERE ended_at >= :since AND state = 'waiting' GROUP BY stage
"""


@dataclass(frozen=True)
class Usage:
    """One stage with one engine version."""

    stage: str
    engine: str | None  # NAME@VERSION; None: the stage has none
    engine_id: str | None  # tells the same version with other weights apart
    kept: int  # artifacts in the store now
    bytes: int  # of those
    evicted: int  # artifacts whose record alone is left
    hits: int = 0  # in the period: stages that found their artifact
    misses: int = 0  # stages that made it
    spent_s: float = 0.0  # seconds of work of the misses
    saved_s: float = 0.0  # seconds of work that the hits would have cost

    @property
    def hit_rate(self) -> float | None:
        """Share of hits, from 0 to 1; None when nothing was asked for."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def usage(db: Session, since: datetime) -> Iterator[Usage]:
    """Figures of every stage and engine version; hits, misses and seconds from `since` on."""
    used = {(row["stage"], row["engine_id"]): dict(row) for row in _rows(db, USED, since=since)}
    for row in _rows(db, KEPT):
        yield Usage(**{**row, **used.get((row["stage"], row["engine_id"]), {})})


def waiting(db: Session, since: datetime) -> dict[str, int]:
    """Stage to how many wait for equal work elsewhere now, and began to after `since`."""
    return {row["stage"]: row["stages"] for row in _rows(db, WAITING, since=since)}


def _rows(db: Session, query: str, **values: Any) -> list[Json]:
    return [dict(row) for row in db.execute(sa.text(query), values).mappings()]
