"""Verifications: what a file is that somebody holds, and which render made it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import PurePosixPath

from fastapi import APIRouter
from pydantic import BaseModel, Field

from avatarlab_ops.media.limits import Limits
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import inputs
from avatarlab_ops.trust.verdicts import Verdict
from avatarlab_web.api.access import Author
from avatarlab_web.stores import Stores

router = APIRouter(tags=["verifications"])


class Held(BaseModel):
    """The file in question."""

    uri: str = Field(description="s3:// address that its upload was given.")


class Layer(BaseModel):
    """One way to recognise a file, and what it says."""

    name: str = Field(description="digest, content credentials, sound, picture or watermark.")
    says: str
    recognised: bool


class Tombstone(BaseModel):
    """What stays of a withdrawn video, and what it takes to check it."""

    record: str = Field(description="JSON, exactly as it was signed: what, when, why; no name.")
    signature: str = Field(description="base64")
    chain: str = Field(description="PEM, the signer's certificate first.")
    signed_by: str | None = Field(description="Whose certificate; null where the signature does not fit.")


class Verification(BaseModel):
    """What the file is. What is said of a render is null where none is recognised."""

    file: str
    sha256: str
    verdict: Verdict
    says: str
    layers: list[Layer]
    render_id: str | None
    run_id: str | None
    published_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    tombstone: Tombstone | None = Field(description="The signed proof of a withdrawal.")


@router.post("/verifications")
def verify(held: Held, who: Author, stores: Stores) -> Verification:
    """Say what an uploaded file is: published, changed, known by sound, picture or mark, or foreign."""
    from avatarlab_ops.trust.verify import verify as look

    bucket, key = inputs.place(stores, held.uri, "uri")
    with transaction(stores.pg_dsn) as db:
        inputs.check_open(db, {"uri": held.uri}, who.name)
    with workspace(stores, "verify") as folder:
        path = folder / PurePosixPath(key).name
        objects(stores).download(bucket, key, path, sha256=None, max_bytes=Limits().max_bytes)
        return Verification(**asdict(look(stores, path)))
