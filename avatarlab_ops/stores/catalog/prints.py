"""Prints of what published videos say and of how they move, to be found by a part of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables as m

CANDIDATES = 20
Table = type[m.SoundPrint] | type[m.PicturePrint]
Kind = TypeVar("Kind", m.SoundPrint, m.PicturePrint)


def known(db: Session, table: Table, artifact: str) -> bool:
    """Whether the print of an artifact is kept."""
    return db.get(table, artifact) is not None


def keep(db: Session, table: Table, artifact: str, **columns: Any) -> None:
    """Keep a print; keeping it again changes nothing."""
    db.execute(insert(table).values(artifact=artifact, **columns).on_conflict_do_nothing())


def like(db: Session, table: type[Kind], words: list[int]) -> list[Kind]:
    """The prints that share most words with these, at most CANDIDATES."""
    asked = sa.cast(words, table.words.type)
    shared = sa.func.cardinality(
        sa.func.array(
            sa.intersect(
                sa.select(sa.func.unnest(table.words)).correlate(table),
                sa.select(sa.func.unnest(asked)),
            ).scalar_subquery()
        )
    )
    query = sa.select(table).where(table.words.overlap(asked))
    # The planner overestimates how many rows share words, and would scan the table.
    db.execute(sa.text("SET LOCAL enable_seqscan = off"))
    return list(db.scalars(query.order_by(shared.desc()).limit(CANDIDATES)))


def pictures_of(db: Session, renders: Sequence[str]) -> list[m.PicturePrint]:
    """The prints of what these renders show, at most CANDIDATES."""
    made = sa.select(m.StageRun.artifact).where(m.StageRun.render_id.in_(renders))
    prints = sa.select(m.PicturePrint).where(m.PicturePrint.artifact.in_(made))
    return list(db.scalars(prints.order_by(m.PicturePrint.artifact).limit(CANDIDATES)))


def forget_picture(db: Session, render_id: str) -> None:
    """Keep no picture of somebody whose video is shown no longer, unless another one of equal bytes is."""
    part = sa.and_(m.StageRun.render_id == m.Render.id, m.StageRun.artifact == m.PicturePrint.artifact)
    shown = sa.and_(m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None))
    mine = sa.select(m.StageRun.artifact).where(m.StageRun.render_id == render_id)
    elsewhere = sa.exists().where(part, shown, m.Render.id != render_id)
    db.execute(sa.delete(m.PicturePrint).where(m.PicturePrint.artifact.in_(mine), ~elsewhere))


def unseen(db: Session, renders: Sequence[str], whole_bytes: int) -> str | None:
    """One of these renders whose picture no print tells of from beginning to end, if there is one.

    `whole_bytes`: of the curves of a print that may have been cut short.
    """
    cut = sa.func.length(m.PicturePrint.curves) >= whole_bytes
    seen = sa.select(m.StageRun.render_id).join(
        m.PicturePrint, sa.and_(m.PicturePrint.artifact == m.StageRun.artifact, sa.not_(cut))
    )
    known = m.Render.id.in_(renders)
    return db.scalar(sa.select(m.Render.id).where(known, m.Render.id.not_in(seen)).limit(1))


def videos(db: Session, artifact: str) -> list[str]:
    """Ids of the published renders that an artifact is part of: those still shown first, then the newest."""
    part = sa.and_(m.StageRun.render_id == m.Render.id, m.StageRun.artifact == artifact)
    shown = sa.select(m.Render.id).join(m.StageRun, part).where(m.Render.state == RenderState.PUBLISHED)
    return list(db.scalars(shown.order_by(m.Render.withdrawn_at.is_not(None), m.Render.ended_at.desc())))
