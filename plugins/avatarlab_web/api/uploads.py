"""Uploads: the caller says what will come, puts it into the store itself, and is told what it is.

The address to put it under is signed for this length, type and SHA-256: the store itself refuses other bytes.
Nothing is kept of an upload until it is complete, so one that never comes leaves nothing behind.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from avatarlab_ops.bulk import rows, text_files
from avatarlab_ops.errors import MediaRefused, RequestInvalid
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.inspection import inspect
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.trust import inputs
from avatarlab_web import files
from avatarlab_web.api.access import Author
from avatarlab_web.api.problems import MISSING, Refusal
from avatarlab_web.stores import Stores

EXPIRES_S = 3600
ID = re.compile(r"([0-9a-f]{64})-(.+)")
router = APIRouter(tags=["uploads"])


class Upload(BaseModel):
    """What will come."""

    name: str = Field(min_length=1, max_length=100, examples=["anna.png"], description="Name of the file.")
    bytes: int = Field(gt=0, le=Limits().max_bytes)
    type: str = Field(pattern=r"^[a-z]+/[A-Za-z0-9.+-]+$", examples=["image/png"])
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the bytes, in hex.")
    purpose: Literal["input", "evidence"] = Field(
        default="input", description="Evidence proves a consent; no request can name it."
    )


class Awaited(BaseModel):
    """Where to put it: one PUT with exactly these headers and the bytes that were announced."""

    id: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Face(BaseModel):
    """The leading face of a picture or clip."""

    face_px: float = Field(description="Longer edge, in pixels of the file.")
    from_s: float = Field(description="Second from which it is seen.")


class Arrived(BaseModel):
    """What it is."""

    uri: str = Field(description="What a request names.")
    sha256: str
    kind: Literal["image", "video", "audio", "rows", "evidence"]
    bytes: int
    width: int = 0
    height: int = 0
    fps: float | None = None
    frames: int | None = None
    duration_s: float | None = None
    notes: list[str] = Field(default_factory=list, description="What was noticed.")
    face: Face | None = None
    no_avatar: str | None = Field(default=None, description="Why it cannot be an avatar.")


@router.post("/uploads", status_code=201)
def begin(coming: Upload, who: Author, stores: Stores) -> Awaited:
    """Announce a file; the answer says where to put it."""
    bucket, key = _place(stores, who.name, coming.purpose, coming.sha256, coming.name)
    url, headers = files.upload(
        stores, bucket, key, length=coming.bytes, kind=coming.type, sha256=coming.sha256, expires_s=EXPIRES_S
    )
    until = datetime.now(UTC) + timedelta(seconds=EXPIRES_S)
    return Awaited(id=f"{coming.sha256}-{coming.name}", url=url, headers=headers, expires_at=until)


@router.post("/uploads/{upload_id}/complete", responses=MISSING)
def complete(
    upload_id: str,
    who: Author,
    stores: Stores,
    purpose: Annotated[Literal["input", "evidence"], Field(description="As announced.")] = "input",
    *,
    shared: Annotated[bool, Field(description="Others may use it; without, it is the caller's own.")] = False,
) -> Arrived:
    """Say what arrived: its size, frames, face, and what was noticed. What no request may use is removed."""
    taken = ID.fullmatch(upload_id)
    if not taken:
        raise Refusal(404, "not_found", f"there is no upload {upload_id!r}")
    sha256, name = taken[1], taken[2]
    bucket, key = _place(stores, who.name, purpose, sha256, name)
    found = _found(stores, bucket, key)
    if purpose == "evidence":
        return Arrived(uri=found.uri, sha256=sha256, kind="evidence", bytes=found.bytes)
    try:
        arrived = _read(stores, found, sha256, name) if text_files.is_one(name) else _seen(stores, found.uri)
    except (MediaRefused, RequestInvalid):
        with transaction(stores.pg_dsn) as db:
            inputs.hold(db, found.uri)
            if inputs.incomplete(db, [found.uri]):  # what was completed before, orders may name
                objects(stores).delete(bucket, key)
        raise
    with transaction(stores.pg_dsn) as db:
        inputs.hold(db, found.uri)
        _found(stores, bucket, key)  # an old one may have been swept since
        inputs.own(db, found.uri, who.name, shared=shared)
    return arrived


def _found(stores: Settings, bucket: str, key: str) -> Stored:
    found = objects(stores).head(bucket, key)
    if found is None:
        name = key.rpartition("/")[2]
        raise Refusal(
            404, "not_uploaded", f"{name} has not arrived; PUT it under the address of the upload first"
        )
    return found


def _place(stores: Settings, caller: str, purpose: str, sha256: str, name: str) -> tuple[str, str]:
    """(bucket, key) of an upload."""
    if "/" in name or name in (".", ".."):
        raise RequestInvalid(f"name: {name!r} is not a plain file name")
    key = inputs.upload_key(caller, sha256, name)
    place = inputs.place(stores, f"s3://{stores.bucket_inputs}/{key}", "name")
    return (stores.bucket_evidence, key) if purpose == "evidence" else place


def _read(stores: Settings, found: Stored, sha256: str, name: str) -> Arrived:
    """A table, template or lexicon. Raises RequestInvalid for one that none could be."""
    rows.check_size(found.bytes, name)
    text_files.check(name, found.bytes, BytesIO(objects(stores).read(found.bucket, found.key)))
    return Arrived(uri=found.uri, sha256=sha256, kind="rows", bytes=found.bytes)


def _seen(stores: Settings, uri: str) -> Arrived:
    source, look, objection = inspect(stores, uri)
    told = source.model_dump(exclude={"notes"})
    notes = [*source.notes, *(look.notes if look else ())]
    face = Face(face_px=look.face_px, from_s=look.from_s) if look else None
    return Arrived(**told, notes=notes, face=face, no_avatar=objection)
