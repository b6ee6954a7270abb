"""Previews: the first frame, or a draft of the first sentence, at once and kept nowhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from avatarlab_ops.previews.desk import TYPES, Desk
from avatarlab_ops.previews.scene import Kind
from avatarlab_ops.request import AvatarRequest
from avatarlab_web.api.access import Author
from avatarlab_web.stores import Stores

desk = Desk()  # of this process
router = APIRouter(tags=["catalogue"])
SHOWN = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()}


@router.post("/previews", response_class=Response, responses={200: {"content": SHOWN}})
def preview(
    asked: AvatarRequest,
    who: Author,
    stores: Stores,
    kind: Annotated[Kind, Query(description="still: the first frame; draft: the first sentence, 360p.")],
) -> Response:
    """Show how a request would look, or sound and move; checked as an order is, and no record is kept."""
    from avatarlab_ops.stores.catalog import transaction
    from avatarlab_ops.trust import inputs

    with transaction(stores.pg_dsn) as db:
        inputs.check_use(db, asked, who.name)
    made = desk.ask(stores, kind, asked)
    return Response(made.content, headers={"Cache-Control": "no-store"}, media_type=made.kind)
