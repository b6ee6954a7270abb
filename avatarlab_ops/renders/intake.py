"""What people bring: a portrait or clip, together with the consent to use it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from avatarlab_ops.errors import FaceRefused, RequestInvalid
from avatarlab_ops.files import sha256_of
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.inspection import inspect
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import consent, inputs
from avatarlab_ops.trust.consent import Material, Scope

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


NAME_CHARACTERS = 80  # of a file's name, kept in its key


@dataclass(frozen=True)
class Leave:
    """Who agrees, and what proves it: a document, or the text of a licence."""

    subject: str
    evidence: Path | None = None
    licence: str | None = None
    recorded_by: str | None = None  # who may revoke it, beside operators; None: an operator
    shared: bool = False  # everybody with a login may use the file


def bring(settings: Settings, file: Path, leave: Leave, *, caller: str) -> str:
    """Keep a caller's portrait or clip together with its consent, and return its s3:// reference.

    It is looked at, so that admission has nothing left to look at. Raises MediaRefused or FaceRefused for
    what no request could use, RequestInvalid for a consent without subject or proof; then nothing is kept.
    """
    from avatarlab_ops.media import foreign

    if not leave.subject.strip() or not (leave.evidence or (leave.licence or "").strip()):
        raise RequestInvalid("name the person who agrees, and give a signed release or the text of a licence")
    foreign.probe(file)
    sha256 = sha256_of(file)
    key = inputs.upload_key(caller, sha256, safe_name(file.name))
    stored = objects(settings).put_if_absent(settings.bucket_inputs, key, file)
    _, _, objection = inspect(settings, stored.uri)
    if objection:
        if stored.created:
            objects(settings).delete(*split_or_refuse(stored.uri))
        raise FaceRefused(objection)
    material = Material("likeness", sha256, stored.uri)
    record_consent(settings, material, leave)
    with transaction(settings.pg_dsn) as db:
        inputs.hold(db, stored.uri)
        objects(settings).put_if_absent(settings.bucket_inputs, key, file)  # an old one may have been swept
        inputs.own(db, stored.uri, caller, shared=leave.shared)
    return stored.uri


def safe_name(name: str) -> str:
    """A file's name as an object may be called: letters, digits, `.`, `_` and `-`, its type kept.

    >>> safe_name("Anna & Ben (final).PNG")
    'Anna-Ben-final-.PNG'
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "file"
    return plain[-NAME_CHARACTERS:].lstrip("-.")


def record_consent(
    settings: Settings,
    material: Material,
    leave: Leave,
    *,
    scope: Scope | None = None,
    period: Sequence[datetime | None] = (None, None),
) -> str:
    """Store the evidence, write the record and return its id. `period`: when it begins and ends."""
    begins, until = period
    with transaction(settings.pg_dsn) as db:
        document = _document(settings, db, leave.evidence) if leave.evidence else None
        return consent.record(
            db, material, subject=leave.subject, scope=scope, document=document, terms=leave.licence,
            valid_from=begins, valid_until=until, recorded_by=leave.recorded_by,
        )  # fmt: skip


def _document(settings: Settings, db: Session, file: Path) -> tuple[str, str]:
    """(s3:// reference, sha256) of a proof, which nobody sweeps until the transaction ends."""
    sha256 = sha256_of(file)
    bucket, key = settings.bucket_evidence, f"{sha256}/{safe_name(file.name)}"
    inputs.hold(db, f"s3://{bucket}/{key}")
    return objects(settings).put_if_absent(bucket, key, file).uri, sha256
