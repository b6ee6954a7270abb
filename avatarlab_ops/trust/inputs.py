"""Which objects a request may name: those of the bucket of inputs, no proof of a consent, none of others'.

What a caller uploads is their own until they share it, and nobody's until they complete it. What lies in the
bucket otherwise, put there by an operator or another system, is everybody's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import lock_number
from avatarlab_ops.stores.catalog.tables import InputOwner
from avatarlab_ops.stores.objects import split_or_refuse
from avatarlab_ops.trust.callers import OPERATORS

# Fields of a request that name an object: a new one that does is no open door.
NAMING = tuple(
    name
    for name, field in AvatarRequest.model_fields.items()
    if "uri" in getattr(field.annotation, "model_fields", {})
)
UPLOADS = "uploads/"  # beneath it: whose (12 hex digits), what (64), and the file's name
_UPLOADED = re.compile(rf"s3://[^/]+/{UPLOADS}[0-9a-f]{{12}}/[0-9a-f]{{64}}/[^/]+")
FORMER_EVIDENCE = "consent/"  # where proofs lay before they had a bucket of their own


def place(settings: Settings, uri: str, where: str = "") -> tuple[str, str]:
    """(bucket, key) of an object that a request, a bulk file or a form names in the field `where`.

    Raises ReferenceRefused for what is malformed, in another bucket, or a proof of a consent.
    """
    said = f"{where}: {uri}" if where else uri
    bucket, key = split_or_refuse(uri)
    if bucket != settings.bucket_inputs:
        raise ReferenceRefused(
            f"{said} is not in the bucket of inputs; use s3://{settings.bucket_inputs}/..."
        )
    if key.startswith(FORMER_EVIDENCE):
        raise ReferenceRefused(f"{said} is kept for proofs of consent; upload the file under another key")
    return bucket, key


def upload_key(caller: str, sha256: str, name: str) -> str:
    """Where what a caller uploads lies: by whose and what it is, so that nobody comes by another's."""
    return f"{_uploads_of(caller)}{sha256}/{name}"


def may_prove(key: str, caller: str) -> bool:
    """Whether a caller may prove a consent with this object of the bucket of evidence: their own upload."""
    return caller in OPERATORS or key.startswith(_uploads_of(caller))


def _uploads_of(caller: str) -> str:
    return f"{UPLOADS}{hashlib.sha256(caller.encode()).hexdigest()[:12]}/"


def hold(db: Session, uri: str) -> None:
    """Lock an upload until this transaction ends: to complete it, name it in a request, or sweep it."""
    db.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(f"upload {uri}"))))


def own(db: Session, uri: str, caller: str, *, shared: bool) -> None:
    """Note that a caller brought an object, and whether others may use it; again, to change that."""
    row = insert(InputOwner).values(uri=uri, caller=caller, shared=shared)
    db.execute(row.on_conflict_do_update(index_elements=["uri", "caller"], set_={"shared": shared}))


def closed(db: Session, uris: Iterable[str], caller: str) -> set[str]:
    """Objects among `uris` that others brought and did not share with this caller."""
    if caller in OPERATORS:
        return set()
    theirs = sa.func.bool_or(sa.or_(InputOwner.shared, InputOwner.caller == caller))
    rows = sa.select(InputOwner.uri).where(InputOwner.uri.in_(tuple(uris))).group_by(InputOwner.uri)
    return set(db.scalars(rows.having(sa.not_(theirs))))


def incomplete(db: Session, uris: Iterable[str]) -> set[str]:
    """Objects among `uris` that arrived by an upload which nobody has completed."""
    arrived = {uri for uri in uris if _UPLOADED.fullmatch(uri)}
    return arrived - set(db.scalars(sa.select(InputOwner.uri).where(InputOwner.uri.in_(arrived))))


def check_use(db: Session, request: AvatarRequest, caller: str) -> None:
    """Raise ReferenceRefused, naming field and object, for one that others brought and did not share."""
    check_open(db, {f"{where}.uri": getattr(request, where).uri for where in NAMING}, caller)


def check_open(db: Session, named: Mapping[str, str | None], caller: str) -> None:
    """Raise ReferenceRefused for a field (field to reference) whose object this caller may not use."""
    given = {where: uri for where, uri in named.items() if uri}
    refused, left = closed(db, given.values(), caller), incomplete(db, given.values())
    for where, uri in given.items():
        if uri in left:
            raise ReferenceRefused(
                f"{where}: {uri} is an upload that nobody completed; POST /uploads/{{id}}/complete first"
            )
        if uri in refused:
            raise ReferenceRefused(
                f"{where}: {uri} was uploaded by somebody else, who has not shared it; "
                "ask for that, or upload the file yourself"
            )
