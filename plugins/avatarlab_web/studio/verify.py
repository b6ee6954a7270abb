"""What a file is that somebody holds: a video of ours, a changed one, or a stranger's."""

from __future__ import annotations

import shutil
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from avatarlab_ops.errors import InputError
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.renders.intake import safe_name
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Author, Viewer
from avatarlab_web.studio.page import FORM_BYTES, show, text

TONES = {  # how the page colours a verdict
    "published": "good", "unchanged": "good", "changed": "warn", "recognised": "warn", "marked": "warn",
    "other_picture": "bad", "other_sound": "bad", "mixed": "bad", "claimed": "bad", "foreign": "plain",
}  # fmt: skip
router = APIRouter()


@router.get("/verify")
def ask(request: Request, who: Viewer) -> Response:
    """The form."""
    return show(
        request, "verify.html", here="verify", author=who.may("author"), found=None, wrong="", tone=""
    )


@router.post("/verify")
async def verify(request: Request, _who: Author, stores: Stores) -> Response:
    """The form, and what is known of the file; the file itself is not kept."""
    length = int(request.headers.get("content-length") or 0)
    found, wrong = None, ""
    if not 0 < length <= Limits().max_bytes + FORM_BYTES:
        wrong = text("upload.size", most=Limits().max_bytes >> 20)
    else:
        async with request.form(max_files=1, max_fields=1) as form:
            try:
                found = await run_in_threadpool(_looked_at, stores, form.get("file"))
            except InputError as error:
                wrong = str(error)
    tone = TONES[found.verdict] if found else ""
    return show(
        request, "verify.html", here="verify", author=True, found=found, wrong=wrong, tone=tone,
        status_code=422 if wrong else 200,
    )  # fmt: skip


def _looked_at(stores: Settings, given: Any) -> Any:
    from avatarlab_ops.trust.verify import verify as look

    if not isinstance(given, UploadFile) or not given.filename:
        raise InputError(text("upload.nothing"))
    with workspace(stores, "verify") as folder:
        path = folder / safe_name(given.filename)
        with path.open("wb") as out:
            shutil.copyfileobj(given.file, out)
        return look(stores, path)
