"""Leads a logged-in user from a render to its files, by addresses that stay the same.

The large ones are fetched from the object store, by an address that soon expires; captions and poster come
through this server, as a browser takes captions from the page's own origin only.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse, Response

from avatarlab_ops.errors import InputError, ReferenceRefused
from avatarlab_ops.fields import split_reference
from avatarlab_ops.lineage import evidence
from avatarlab_ops.renders import approval, listing
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.objects import objects
from avatarlab_web import files
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Viewer

NAMES = {
    "video": ("video.mp4", "video.webm"),
    "captions": ("captions.vtt",),
    "subtitles": ("captions.srt",),
    "chapters": ("chapters.vtt",),
    "poster": ("poster.jpg",),
    "manifest": ("manifest.json",),
}
VTT = "text/vtt; charset=utf-8"
PASSED = {"captions.vtt": VTT, "chapters.vtt": VTT, "poster.jpg": "image/jpeg"}  # through this server
router = APIRouter(include_in_schema=False)


@router.get("/renders/{render_id}/evidence")
def evidence_pack(render_id: str, _who: Viewer, stores: Stores) -> Response:
    """All that an auditor asks for, as one ZIP made now; 404 where nothing was published."""
    with workspace(stores, "evidence") as folder:
        pack = folder / "evidence.zip"
        try:
            evidence.write(stores, render_id, pack)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        named = {"Content-Disposition": f'attachment; filename="{render_id}-evidence.zip"'}
        return Response(pack.read_bytes(), 200, named, "application/zip")


@router.get("/renders/{render_id}/unpublished")
def unpublished(render_id: str, _who: Viewer, stores: Stores) -> RedirectResponse:
    """The video of a render that waits for approval, as it was composed; 404 for every other."""
    uri = approval.made(stores, render_id)
    if uri is None:
        raise HTTPException(404, f"render {render_id} does not wait for approval")
    return RedirectResponse(files.address(stores, uri))


def _waiting_poster(stores: Settings, render_id: str) -> Response | None:
    """The poster of a video that waits for approval, which may be refused: kept nowhere."""
    uri = approval.made(stores, render_id, "poster.")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    content = objects(stores).read(*split_reference(uri)) if uri else None
    return Response(content, 200, headers, PASSED["poster.jpg"]) if content else None


@router.get("/renders/{render_id}/{file}")
def published_file(
    render_id: str,
    file: Literal["video", "captions", "subtitles", "chapters", "poster", "manifest"],
    _who: Viewer,
    stores: Stores,
    *,
    download: bool = False,
) -> Response:
    """One file of a published render; 404 while there is none."""
    try:
        there = listing.one(stores, render_id).files
    except ReferenceRefused as error:
        raise HTTPException(404, str(error)) from error
    name = next((name for name in NAMES[file] if name in there), None)
    if name is None and file == "poster" and (waiting := _waiting_poster(stores, render_id)):
        return waiting
    if name is None:
        raise HTTPException(404, f"render {render_id} shows no {file}")
    if name in PASSED and not download:
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(files.read(stores, render_id, name), 200, headers, PASSED[name])
    return RedirectResponse(files.link(stores, render_id, name, save=download))
