"""Links for people without a login: made, listed, taken back. What they lead to is `avatarlab_web.shared`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from avatarlab_ops.retention import MOST_LINK_DAYS, PERSON_LINK_DAYS, VIDEO_LINK_DAYS
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables, transaction
from avatarlab_ops.trust import shares
from avatarlab_ops.trust.shares import Kind
from avatarlab_web.api import views
from avatarlab_web.api.access import Author, Caller, Reader
from avatarlab_web.api.consents import existing
from avatarlab_web.api.problems import ENDED, MISSING, Refusal
from avatarlab_web.api.renders import look_up
from avatarlab_web.stores import Stores

router = APIRouter(tags=["shares"])
Days = Annotated[int, Body(embed=True, ge=1, le=MOST_LINK_DAYS, description="How long it lasts.")]


class Share(BaseModel):
    """A link, without the link."""

    id: str
    expires_at: datetime
    created_by: str
    created_at: datetime


class NewShare(Share):
    """A link. Whoever has `url` can open it, without a login, until it expires or is taken back."""

    url: str = Field(description="Told this once.")


@router.post("/renders/{render_id}/shares", status_code=201, responses=MISSING | ENDED)
def share_video(
    render_id: str, who: Author, stores: Stores, request: Request, days: Days = VIDEO_LINK_DAYS
) -> NewShare:
    """Let whoever has the link see this one video. By who ordered it, or an operator."""
    known, listed = look_up(stores, render_id)
    who.require_own(listed.request.caller, f"render {render_id}")
    if known.state != RenderState.PUBLISHED or known.withdrawn_at:
        state = "withdrawn" if known.withdrawn_at else known.state
        raise Refusal(409, "not_published", f"render {render_id} is {state}; there is no video to share")
    return _made(stores, request, "video", render_id, days=days, who=who)


@router.post("/consents/{consent_id}/shares", status_code=201, responses=MISSING)
def share_consent(
    consent_id: str, who: Author, stores: Stores, request: Request, days: Days = PERSON_LINK_DAYS
) -> NewShare:
    """Let the person shown see what was made of them, and withdraw. By who recorded it, or an operator."""
    who.require_own(existing(stores, consent_id).recorded_by or "an operator", f"consent {consent_id}")
    return _made(stores, request, "consent", consent_id, days=days, who=who)


@router.get("/renders/{render_id}/shares", responses=MISSING)
def of_video(render_id: str, _who: Reader, stores: Stores) -> list[Share]:
    """Links to a video that hold now, newest first."""
    look_up(stores, render_id)
    return _listed(stores, "video", render_id)


@router.get("/consents/{consent_id}/shares", responses=MISSING)
def of_consent(consent_id: str, _who: Reader, stores: Stores) -> list[Share]:
    """Links to a consent's page that hold now, newest first."""
    existing(stores, consent_id)
    return _listed(stores, "consent", consent_id)


@router.delete("/shares/{share_id}", status_code=204, responses=MISSING)
def revoke(share_id: str, who: Author, stores: Stores) -> None:
    """End a link before its time. By who made it, or an operator."""
    with transaction(stores.pg_dsn) as db:
        found = db.get(tables.Share, share_id)
        if found is None:
            raise Refusal(404, "not_found", f"there is no link {share_id!r}")
        who.require_own(found.created_by, f"link {share_id}")
        shares.revoke(found)


def _made(stores: Settings, request: Request, kind: Kind, target: str, *, days: int, who: Caller) -> NewShare:
    with transaction(stores.pg_dsn) as db:
        share, link = shares.make(db, stores, kind, target, days=days, by=who.name)
        return NewShare(**_plain(share), url=f"{views.outside(request)}/shared/{link}")


def _listed(stores: Settings, kind: Kind, target: str) -> list[Share]:
    with transaction(stores.pg_dsn) as db:
        return [Share(**_plain(one)) for one in shares.listed(db, kind, target)]


def _plain(share: Any) -> dict[str, Any]:
    return {name: getattr(share, name) for name in Share.model_fields}
