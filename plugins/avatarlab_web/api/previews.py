"""Previews: the first frame, or a draft of the first sentence, at once and kept nowhere."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.previews.desk import TYPES, Desk
from avatarlab_ops.previews.scene import Kind
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.trust import inputs
from avatarlab_web.api.access import Author
from avatarlab_web.api.problems import PACED
from avatarlab_web.api.renders import Order
from avatarlab_web.pace import Pace
from avatarlab_web.stores import Stores

desk = Desk()  # of this process
pace = Pace(most=20, within_s=60.0)  # nothing is kept that a budget could count
router = APIRouter(tags=["catalogue"])
SHOWN: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()}


@router.post("/previews", response_class=Response, responses=PACED | {200: {"content": SHOWN}})
def preview(
    asked: Order,
    who: Author,
    stores: Stores,
    kind: Annotated[Kind, Query(description="still: the first frame; draft: the first sentence, 360p.")],
) -> Response:
    """Show how a request would look, or sound and move; checked as an order is, and no record is kept.

    At most twenty a minute for each caller and api-server process, since no budget counts the seconds that
    they cost; one that is refused does not count.
    """
    if wait_s := pace.take(who.name):
        raise HTTPException(
            429,
            f"{who.name} has asked for {pace.most} previews within {pace.within_s:.0f} s; wait a little",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )
    request = asked.request()
    try:
        with transaction(stores.pg_dsn) as db:
            inputs.check_use(db, request, who.name)
        made = desk.ask(stores, kind, request, caller=who.name)
    except AvatarlabError:
        pace.give_back(who.name)
        raise
    return Response(made.content, headers={"Cache-Control": "no-store"}, media_type=made.kind)
