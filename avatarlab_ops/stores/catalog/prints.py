"""Prints of what published videos say, to be found by a part of one."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables as m

CANDIDATES = 20


@dataclass(frozen=True)
class Print:
    """The kept words of an artifact's sound."""

    artifact: str
    words: list[int]


def known(db: Session, artifact: str) -> bool:
    """Whether the print of an artifact is kept."""
    return db.get(m.SoundPrint, artifact) is not None


def keep(db: Session, artifact: str, words: list[int]) -> None:
    """Keep a print; keeping it again changes nothing."""
    db.execute(insert(m.SoundPrint).values(artifact=artifact, words=words).on_conflict_do_nothing())


def like(db: Session, words: list[int]) -> list[Print]:
    """The prints that share most words with these, at most CANDIDATES."""
    asked = sa.cast(words, m.SoundPrint.words.type)
    shared = sa.func.cardinality(
        sa.func.array(
            sa.intersect(
                sa.select(sa.func.unnest(m.SoundPrint.words)).correlate(m.SoundPrint),
                sa.select(sa.func.unnest(asked)),
            ).scalar_subquery()
        )
    )
    query = sa.select(m.SoundPrint).where(m.SoundPrint.words.overlap(asked))
    db.execute(sa.text("SET LOCAL enable_seqscan = off"))  # the planner takes arrays for much alike
    rows = db.scalars(query.order_by(shared.desc()).limit(CANDIDATES))
    return [Print(row.artifact, row.words) for row in rows]


def videos(db: Session, artifact: str) -> list[str]:
    """Ids of the published renders that speak with an artifact: those still shown first, then the newest."""
    speaks = sa.and_(m.StageRun.render_id == m.Render.id, m.StageRun.artifact == artifact)
    shown = sa.select(m.Render.id).join(m.StageRun, speaks).where(m.Render.state == RenderState.PUBLISHED)
    return list(db.scalars(shown.order_by(m.Render.withdrawn_at.is_not(None), m.Render.ended_at.desc())))
