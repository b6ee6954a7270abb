"""Airflow's own door to our DAGs, `POST /api/v2/dags/DAG/dagRuns`: it takes no body that ours refuses.

Airflow would take the last of two equal keys, and parse, keep and echo whatever size comes; and it would keep
as many runs as anybody begins, behind which all orders had to wait. Run ids that orders in line will have are
theirs. Every other route of Airflow passes untouched.
"""

from __future__ import annotations

import asyncio
import logging
import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.graph import OPEN_RUNS
from avatarlab_ops.states import INTERACTIVE_RUN, RUN
from avatarlab_web.api.bodies import StrictBodies
from avatarlab_web.runs import DAG

AGAIN_S = 60
_RUNS = re.compile(r".*/api/v2/dags/(avatar_render|avatar_regenerate)/dagRuns/?")
_FULL = (
    f"{OPEN_RUNS} runs of {DAG} are open, and Airflow works on no more at a time; ask again in a minute, or "
    "order by Avatarlab's API (POST /avatarlab/api/v1/renders), where orders wait in line"
)
log = logging.getLogger(__name__)


class StrictRuns:
    """Holds bodies that begin a run of ours to what `StrictBodies` allows, and their number to OPEN_RUNS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.strict = app, StrictBodies(app, _check_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        begins = _RUNS.fullmatch(scope["path"]) if posted else None
        if begins and begins[1] == DAG and await asyncio.to_thread(_full):
            refusal = JSONResponse({"detail": _FULL}, 429, headers={"Retry-After": str(AGAIN_S)})
            await refusal(scope, receive, send)
            return
        await (self.strict if begins else self.app)(scope, receive, send)


def _check_id(body: object) -> None:
    """Raise RequestInvalid for a run id by which an order in line would be taken for begun."""
    run_id = body.get("dag_run_id") if isinstance(body, dict) else None
    if isinstance(run_id, str) and run_id.startswith((RUN, INTERACTIVE_RUN)):
        raise RequestInvalid(
            f"dag_run_id {run_id!r}: ids that begin with {RUN} or {INTERACTIVE_RUN} are those of ordered "
            "renders; choose another, or leave it out"
        )


def _full() -> bool:
    """Whether as many runs are open as may be; where Airflow's database is away it says so itself."""
    import sqlalchemy as sa
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    mine = sa.and_(DagRun.dag_id == DAG, DagRun.state.in_(("queued", "running")))
    try:
        with create_session(scoped=False) as session:
            return (
                session.scalar(sa.select(sa.func.count()).select_from(DagRun).where(mine)) or 0
            ) >= OPEN_RUNS
    except SQLAlchemyError as error:
        log.warning("open runs cannot be counted: %s", error)
        return False
