"""Portraits as every browser shows them: small JPEGs, made when they are asked for, whatever was brought."""

from __future__ import annotations

import threading
import time

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from avatarlab_ops.errors import MediaRefused, ReferenceRefused
from avatarlab_ops.fields import split_reference
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.renders import avatars
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.objects import objects
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Viewer

SIDE_PX = 480  # the short side: the widest place on a page, and twice a tile
KEPT_S, KEPT = 600.0, 200  # of some 40 kB each
_kept: dict[str, tuple[float, bytes]] = {}  # sha256 of the portrait: until when, JPEG; the oldest first
_lock = threading.Lock()
_making = threading.Semaphore(2)  # a gallery asks for many at once
router = APIRouter()


@router.get("/avatars/{sha256}/small")
def small(sha256: str, who: Viewer, stores: Stores) -> Response:
    """A portrait that this viewer may use now; whether its consent holds is asked each time.

    What was made stays in this process's memory, never on a disk, and goes KEPT_S after it was made.
    """
    found = avatars.one(stores, who.name, sha256)
    if found is None or found.kind != "image":
        _forget(sha256)
        raise HTTPException(404, f"there is no portrait {sha256!r}")
    picture = _remembered(sha256)
    if picture is None:
        picture = _made(stores, found)
        with _lock:
            _kept[sha256] = time.monotonic() + KEPT_S, picture
    lasting = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(picture, 200, lasting, "image/jpeg")


def _forget(sha256: str) -> None:
    with _lock:
        _kept.pop(sha256, None)


def _remembered(sha256: str) -> bytes | None:
    """The JPEG made a while ago, after dropping what is too old or too much."""
    with _lock:
        for old in [one for one, (until, _) in _kept.items() if until < time.monotonic()]:
            del _kept[old]
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        return _kept[sha256][1] if sha256 in _kept else None


def _made(settings: Settings, avatar: avatars.Avatar) -> bytes:
    """The portrait upright, scaled down, as JPEG. Raises HTTPException (404) where it is gone or damaged."""
    from avatarlab_ops.media import foreign
    from avatarlab_ops.media.video import write_poster

    with _making, workspace(settings, "portrait") as folder:
        path, shown = folder / "portrait", folder / "small.jpg"
        place, most = split_reference(avatar.uri), Limits().max_bytes
        try:
            objects(settings).download(*place, path, sha256=avatar.sha256, max_bytes=most)
            with foreign.open_footage(path, fps=1.0, max_short_side_px=SIDE_PX) as footage:
                write_poster(shown, footage[0])
        except (ReferenceRefused, MediaRefused) as error:
            raise HTTPException(404, str(error)) from error
        return shown.read_bytes()
