"""Airflow's own door to our DAGs, `POST /api/v2/dags/DAG/dagRuns`: it takes no body that ours refuses.

Airflow would take the last of two equal keys, and parse, keep and echo whatever size comes; and it would keep
as many runs as anybody begins, behind which all orders had to wait. Run ids that orders in line will have are
theirs, and a deadline is a time to come. What breaks the contract begins no run: the answer's `detail`, which
Airflow's form shows, names every wrong field. Every other route of Airflow passes untouched.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import sqlalchemy as sa
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from avatarlab_ops.bulk import names, planning
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.graph import OPEN_RUNS
from avatarlab_ops.places import BULK_DAG, INTERACTIVE_RUN, RENDER_DAG, RUN
from avatarlab_ops.request import AvatarRequest
from avatarlab_web.api.bodies import StrictBodies
from avatarlab_web.stores import stores

AGAIN_S = 60
_RUNS = re.compile(rf".*/api/v2/dags/({RENDER_DAG}|{BULK_DAG})/dagRuns/?")
_FULL = (
    f"{OPEN_RUNS} runs of {RENDER_DAG} are open, and Airflow works on no more at a time; ask again in a "
    "minute, or order by Avatarlab's API (POST /avatarlab/api/v1/renders), where orders wait in line"
)
log = logging.getLogger(__name__)


class StrictRuns:
    """Holds bodies that begin a run of ours to what `StrictBodies` allows, and their number to OPEN_RUNS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.strict = {RENDER_DAG: StrictBodies(app, _check_render), BULK_DAG: StrictBodies(app, _check_bulk)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        begins = _RUNS.fullmatch(scope["path"]) if posted else None
        if begins and begins[1] == RENDER_DAG and await asyncio.to_thread(_full):
            refusal = JSONResponse({"detail": _FULL}, 429, headers={"Retry-After": str(AGAIN_S)})
            await refusal(scope, receive, send)
            return
        await (self.strict[begins[1]] if begins else self.app)(scope, receive, send)


def _check_render(body: object) -> None:
    """Raise InputError for what breaks the contract, a run id of an order in line, a deadline that passed."""
    run_id, conf = _told(body)
    _check_id(run_id)
    if conf is not None:
        AvatarRequest.parse(conf).check_deadline()


def _check_bulk(body: object) -> None:
    """Raise InputError as `_check_render` does; a run that is found by its name may be late already."""
    run_id, conf = _told(body)
    _check_id(run_id)
    asked = None if conf is None else BulkRequest.parse(conf)
    if asked and asked.deadline is not None:
        planning.check_deadline(stores(), asked, names.bulk_id_of(asked.name, str(run_id)))


def _told(body: object) -> tuple[object, dict[str, Any] | None]:
    """Run id and what the run is to do; None where Airflow itself refuses the body's shape."""
    if not isinstance(body, dict):
        return None, None
    conf = body.get("conf")
    return body.get("dag_run_id"), conf if isinstance(conf, dict) else {} if conf is None else None


def _check_id(run_id: object) -> None:
    """Raise RequestInvalid for a run id by which an order in line would be taken for begun."""
    if isinstance(run_id, str) and run_id.startswith((RUN, INTERACTIVE_RUN)):
        raise RequestInvalid(
            f"dag_run_id {run_id!r}: ids that begin with {RUN} or {INTERACTIVE_RUN} are those of ordered "
            "renders; choose another, or leave it out"
        )


def _full() -> bool:
    """Whether as many runs are open as may be; where Airflow's database is away it says so itself."""
    mine = sa.and_(DagRun.dag_id == RENDER_DAG, DagRun.state.in_(("queued", "running")))
    try:
        with create_session(scoped=False) as session:
            return (
                session.scalar(sa.select(sa.func.count()).select_from(DagRun).where(mine)) or 0
            ) >= OPEN_RUNS
    except SQLAlchemyError as error:
        log.warning("open runs cannot be counted: %s", error)
        return False
