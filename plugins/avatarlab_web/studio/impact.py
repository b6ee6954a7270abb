"""What a change touches, and what is done about it: made anew as one bulk run, or taken back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from avatarlab_ops.errors import InputError
from avatarlab_ops.lineage import query
from avatarlab_ops.renders import listing
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Viewer
from avatarlab_web.studio.page import show
from avatarlab_web.studio.videos import card

router = APIRouter()


@router.get("/impact")
def impact(
    request: Request, who: Viewer, stores: Stores, *, kind: str = "engine", value: str = "", after: str = ""
) -> Response:
    """The published videos that an input, engine, weights file or code version touches, a page at a time."""
    cards, more, wrong = [], None, ""
    touched = mine = 0
    if value:
        try:
            page = query.impact(stores, kind, value.strip(), after=after)
            touched = query.count_touched(stores, kind, value.strip())
            if who.may("author"):
                mine = query.count_touched(stores, kind, value.strip(), caller=who.name)
        except InputError as error:
            wrong = str(error)
        else:
            cards = [card(one) for one in listing.some(stores, [video.render_id for video in page.videos])]
            more = page.after
    return show(
        request, "impact.html", here="impact", kinds=query.CHANGES, kind=kind, value=value, cards=cards,
        more=more, wrong=wrong, touched=touched, mine=mine, bulk_author=who.may("bulk author"),
    )  # fmt: skip


@router.get("/impact/renders")
def renders(who: Viewer, stores: Stores, kind: str, value: str, *, own: bool = False) -> list[str]:
    """Every video of all pages, or the caller's own of them: what a button acts on."""
    return query.all_touched(stores, kind, value.strip(), caller=who.name if own else None)
