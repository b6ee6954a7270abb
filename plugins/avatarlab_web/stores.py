"""Where the stores are, as a dependency of the routes: the connections that tasks use, too."""

from __future__ import annotations

from typing import Annotated

from avatarlab_connections import settings
from fastapi import Depends

from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings

_prepared: set[str] = set()


def stores() -> Settings:
    """The three stores, from Airflow's connections; a process's first look brings their tables up to date."""
    where = settings()
    if where.pg_dsn not in _prepared:
        pipeline.ready_stores(where)
        _prepared.add(where.pg_dsn)
    return where


Stores = Annotated[Settings, Depends(stores)]
