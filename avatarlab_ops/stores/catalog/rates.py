"""Measured rates: what stages have cost, kept as sums so that neither learning nor asking grows with use."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.stores.catalog.tables import Rate

DECAY = 0.9  # weight of all earlier measurements at each new one: about the last ten count


def observe(db: Session, stage: str, engine: str, side_px: int, *, work: float, seconds: float) -> None:
    """Take one measurement: `seconds` for `work` units at a picture size."""
    new = {"n": 1.0, "x": work, "y": seconds, "xx": work * work, "xy": work * seconds}
    statement = insert(Rate).values(stage=stage, engine=engine, side_px=side_px, **new)
    summed = {name: getattr(Rate, name) * DECAY + value for name, value in new.items()}
    db.execute(statement.on_conflict_do_update(index_elements=["stage", "engine", "side_px"], set_=summed))


def known(db: Session) -> list[Rate]:
    """Every rate; one row for each stage, engine and size ever used."""
    return list(db.scalars(sa.select(Rate)))
