"""Who calls, and what they may do: Airflow's login and Airflow's permissions.

A reader may GET runs of `avatar_render`, an author POST them, a bulk author POST runs of `avatar_regenerate`,
an operator PUT pools. Everybody who may read sees the renders of the whole deployment; a render is changed or
withdrawn by its caller or an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, Request

from avatarlab_ops.places import BULK_DAG, RENDER_DAG
from avatarlab_ops.trust import callers
from avatarlab_web.api.problems import Refusal

Role = Literal["reader", "author", "bulk author", "operator"]
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Caller:
    """A logged-in user: the name that renders and budgets are kept by, and what they may do."""

    name: str
    may: Callable[[Role], bool]

    def require(self, role: Role) -> None:
        """Raise Refusal (403) without the role."""
        if not self.may(role):
            raise Refusal(
                403, "forbidden", f"{self.name} needs the role {role} for this; docs/api.md says which"
            )

    def require_own(self, owner: str, what: str) -> None:
        """Raise Refusal (403) unless it is the caller's own, or the caller is an operator."""
        if owner != self.name and not self.may("operator"):
            raise Refusal(403, "not_yours", f"{what} is {owner}'s; only {owner} or an operator may do this")


def caller(user: GetUserDep) -> Caller:
    """The logged-in user. Airflow's own dependency refuses everybody else."""
    return Caller(callers.of_user(str(user.get_name())), lambda role: _may(user, role))


def _may(user: Any, role: Role) -> bool:
    manager = get_auth_manager()
    if role == "operator":
        return bool(manager.is_authorized_pool(method="PUT", user=user))
    dag = BULK_DAG if role == "bulk author" else RENDER_DAG
    return bool(
        manager.is_authorized_dag(
            method="GET" if role == "reader" else "POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag),
            user=user,
        )
    )


def same_origin(request: Request, _who: Annotated[Caller, Depends(caller)]) -> None:
    """Refuse strangers, and a change that another site's page asks for with the user's cookie."""
    if request.method in SAFE or "authorization" in request.headers:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        raise Refusal(403, "foreign_origin", f"a page of another origin ({site}) may change nothing here")
    if site is None and (origin is None or urlsplit(origin).netloc != request.headers.get("host")):
        raise Refusal(
            403,
            "foreign_origin",
            f"the origin {origin!r} may change nothing here; other systems send a token",
        )


def _role(role: Role) -> Any:
    def allowed(who: Annotated[Caller, Depends(caller)]) -> Caller:
        who.require(role)
        return who

    return Depends(allowed)


Reader = Annotated[Caller, _role("reader")]
Author = Annotated[Caller, _role("author")]
BulkAuthor = Annotated[Caller, _role("bulk author")]
Operator = Annotated[Caller, _role("operator")]
