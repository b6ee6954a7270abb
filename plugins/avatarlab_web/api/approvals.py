"""Approvals: a person lets a video that is made be published, or not."""

from __future__ import annotations

from fastapi import APIRouter, Request

from avatarlab_ops.renders import approval
from avatarlab_web.api import views
from avatarlab_web.api.access import Operator
from avatarlab_web.api.problems import ENDED, MISSING, Refusal
from avatarlab_web.api.renders import look_up, show
from avatarlab_web.stores import Stores

router = APIRouter(tags=["renders"])


@router.post("/renders/{render_id}/approve", responses=MISSING | ENDED)
def approve(render_id: str, who: Operator, stores: Stores, request: Request) -> views.Render:
    """Let a video that waits for approval be published."""
    look_up(stores, render_id)
    _must(render_id, done=approval.approve(stores, render_id, who.name))
    return show(stores, request, render_id)


@router.post("/renders/{render_id}/refuse", responses=MISSING | ENDED)
def refuse(
    render_id: str,
    who: Operator,
    stores: Stores,
    request: Request,
    reason: views.Words,
) -> views.Render:
    """End a render that waits for approval: its video is not published, and the reason is told."""
    look_up(stores, render_id)
    _must(render_id, done=approval.refuse(stores, render_id, who.name, reason))
    return show(stores, request, render_id)


def _must(render_id: str, *, done: bool) -> None:
    if not done:
        raise Refusal(409, "not_waiting", f"render {render_id} does not wait for approval")
