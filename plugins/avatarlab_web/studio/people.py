"""Whose likeness and voice may be used, what was made of it, and taking it back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.renders import avatars, listing
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import consents, tables, transaction
from avatarlab_ops.trust import consent, shares
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Viewer
from avatarlab_web.studio.page import show
from avatarlab_web.studio.videos import card

router = APIRouter()


@router.get("/people")
def people(request: Request, who: Viewer, stores: Stores) -> Response:
    """Every record of consent, the newest first."""
    with transaction(stores.pg_dsn) as db:
        records = [_record(one) for one in consents.listed(db)]
    faces = {one.sha256 for one in avatars.usable(stores, who.name) if one.kind == "image"}
    return show(request, "people.html", here="people", records=records, faces=faces, author=who.may("author"))


def _record(one: tables.Consent) -> Json:
    state = consent.state_of(one)
    return {
        "id": one.id, "subject": one.subject, "kind": one.kind, "material": one.material,
        "valid": state == "valid", "state": state, "proof": "document" if one.document_sha256 else "licence",
        "terms": one.terms or "", "until": one.valid_until, "at": one.created_at, "by": one.recorded_by,
    }  # fmt: skip


@router.get("/people/{consent_id}")
def person(
    request: Request,
    who: Viewer,
    stores: Stores,
    consent_id: str,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """One record, and the newest of what was made on it."""
    try:
        with transaction(stores.pg_dsn) as db:
            record = _record(consents.find(db, consent_id))
            made, shown = consents.counted_on(db, consent_id)
    except ReferenceRefused as error:
        return show(request, "nothing.html", here="people", reason=str(error), status_code=404)
    page = listing.page(stores, listing.Wanted(consent=consent_id), cursor=cursor, limit=24)
    cards = [card(one) for one in page.renders]
    mine = who.may("author") and (record["by"] == who.name or who.may("operator"))
    with transaction(stores.pg_dsn) as db:
        links = shares.listed(db, "consent", consent_id)
    return show(
        request, "person.html", links=links, here="people", record=record, cards=cards, cursor=page.cursor,
        made=made, shown=shown, named=[one for one in cards if one["state"] == RenderState.PUBLISHED],
        may_share=mine and record["valid"], may_revoke=mine and (record["valid"] or shown > 0),
    )  # fmt: skip
