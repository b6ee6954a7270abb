"""Airflow's own door to our DAGs, `POST /api/v2/dags/DAG/dagRuns`: it takes no body that ours refuses.

Airflow would take the last of two equal keys, and parse, keep and echo whatever size comes. Every other route
of Airflow passes untouched.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from avatarlab_web.api.bodies import StrictBodies

_RUNS = re.compile(r".*/api/v2/dags/(avatar_render|avatar_regenerate)/dagRuns/?")


class StrictRuns:
    """Holds the bodies that begin a run of ours to what `StrictBodies` allows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.strict = app, StrictBodies(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        ours = scope["type"] == "http" and scope["method"] == "POST" and _RUNS.fullmatch(scope["path"])
        await (self.strict if ours else self.app)(scope, receive, send)
