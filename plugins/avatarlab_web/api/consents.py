"""Consents: who agreed to the use of which likeness or voice, what proves it, and what was made on it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from avatarlab_ops import engines
from avatarlab_ops.errors import ReferenceRefused, RequestInvalid
from avatarlab_ops.fields import Zoned
from avatarlab_ops.renders import withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.inspection import inspect
from avatarlab_ops.stores.catalog import consents, tables, transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import consent, inputs
from avatarlab_ops.trust.consent import Material
from avatarlab_web.api import views
from avatarlab_web.api.access import Author, Reader
from avatarlab_web.api.problems import MISSING, Refusal
from avatarlab_web.stores import Stores

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["consents"])


class NewConsent(BaseModel):
    """A consent to record. What proves it: a document that was uploaded as evidence, or a licence's text."""

    material: str = Field(description="s3:// reference of an upload, or ENGINE/VOICE of a built-in voice.")
    kind: Literal["likeness", "voice"] = "likeness"
    subject: str = Field(min_length=1, max_length=200, description="Who agrees.")
    evidence: str | None = Field(default=None, description="Reference of an upload for the purpose evidence.")
    licence: str | None = Field(default=None, max_length=10_000)
    languages: list[str] = Field(default_factory=list, description="Only for scripts in these languages.")
    labels: dict[str, str] = Field(default_factory=dict, description="Only for requests with these labels.")
    valid_from: Zoned | None = None
    valid_until: Zoned | None = None


class Consent(BaseModel):
    """A record of consent."""

    id: str
    kind: str
    subject: str
    material: str = Field(description="sha256 of the likeness or sample, or ENGINE/VOICE.")
    scope: dict[str, object]
    proof: Literal["document", "licence"]
    valid_from: datetime
    valid_until: datetime | None
    state: str = Field(description="valid, or why it does not hold now.")
    recorded_by: str | None
    created_at: datetime


class WholeConsent(Consent):
    """A record, and the renders that rely on it."""

    renders: dict[str, str] = Field(description="Render id to state.")


class Revocation(BaseModel):
    """What a revocation met. Render ids."""

    stopped: list[str]
    videos: list[str] = Field(
        description="Published on this consent and not (wholly) withdrawn; call again for these."
    )
    withdrawn: list[str]
    still_held: list[str] = Field(description="Other consents under which the same material may be used.")


@router.post("/consents", status_code=201)
def create(asked: NewConsent, who: Author, stores: Stores) -> Consent:
    """Record a consent; an equal one that holds already is given instead."""
    material = _material(stores, asked, who.name)
    scope = consent.Scope(tuple(asked.languages), asked.labels)
    with transaction(stores.pg_dsn) as db:
        document = _evidence(db, stores, asked.evidence, who.name) if asked.evidence else None
        consent_id = consent.record(
            db, material, subject=asked.subject, scope=scope, document=document, terms=asked.licence,
            valid_from=asked.valid_from, valid_until=asked.valid_until, recorded_by=who.name,
        )  # fmt: skip
        return _shown(consents.find(db, consent_id))


def _material(stores: Settings, asked: NewConsent, caller: str) -> Material:
    if asked.material.startswith("s3://"):
        with transaction(stores.pg_dsn) as db:
            inputs.check_open(db, {"material": asked.material}, caller)
        source, _, _ = inspect(stores, asked.material)
        if asked.kind not in consent.holds(source.kind, sound=source.sound):
            heard = "with" if source.sound else "without"
            raise RequestInvalid(
                f"kind: {asked.material} is of kind {source.kind}, {heard} sound; it holds no {asked.kind}"
            )
        return Material(asked.kind, source.sha256, asked.material)
    engine, _, name = asked.material.partition("/")
    if asked.kind == "voice" and name in engines.info("speech", engine).voice_names:
        return Material("voice", asked.material, asked.material)
    raise RequestInvalid(f"material: {asked.material!r} is neither an s3:// reference nor a built-in voice")


def _evidence(db: Session, stores: Settings, uri: str, caller: str) -> tuple[str, str]:
    """(reference, sha256) of a document that the caller uploaded; nobody sweeps it within the transaction."""
    inputs.hold(db, uri)
    bucket, key = split_or_refuse(uri)
    mine = bucket == stores.bucket_evidence and inputs.may_prove(key, caller)
    found = objects(stores).head(bucket, key) if mine else None
    if found is None or found.sha256 is None:
        raise ReferenceRefused(
            f"evidence: {uri} is not an upload of yours for the purpose evidence; upload it first"
        )
    return found.uri, found.sha256


def _shown(record: tables.Consent) -> Consent:
    names = (
        "id",
        "kind",
        "subject",
        "material",
        "scope",
        "valid_from",
        "valid_until",
        "recorded_by",
        "created_at",
    )
    return Consent(
        **{name: getattr(record, name) for name in names},
        proof="document" if record.document_sha256 else "licence",
        state=consent.state_of(record),
    )


@router.get("/consents")
def find(_who: Reader, stores: Stores) -> list[Consent]:
    """Every record, newest first."""
    with transaction(stores.pg_dsn) as db:
        return [_shown(one) for one in consents.listed(db)]


@router.get("/consents/{consent_id}", responses=MISSING)
def read(consent_id: str, _who: Reader, stores: Stores) -> WholeConsent:
    """A record, and the renders that rely on it."""
    with transaction(stores.pg_dsn) as db:
        record = _shown(existing(stores, consent_id))
        renders = {name: state for name, state, _ in consents.renders_on(db, consent_id)}
    return WholeConsent(**record.model_dump(), renders=renders)


def existing(stores: Settings, consent_id: str) -> tables.Consent:
    """A record. Raises Refusal (404)."""
    try:
        with transaction(stores.pg_dsn) as db:
            return consents.find(db, consent_id)
    except ReferenceRefused as error:
        raise Refusal(404, "not_found", f"there is no consent {consent_id!r}") from error


@router.post("/consents/{consent_id}/revoke", responses=MISSING)
def revoke(
    consent_id: str,
    who: Author,
    stores: Stores,
    *,
    reason: views.Words = "the subject withdrew it",
    withdraw: Annotated[bool, Query(description="Also withdraw what was published on it.")] = False,
) -> Revocation:
    """End a consent for good: renders that run on it fail. By who recorded it, or an operator."""
    record = existing(stores, consent_id)
    who.require_own(record.recorded_by or "an operator", f"consent {consent_id}")
    return take_back(stores, consent_id, reason, withdraw=withdraw)


def take_back(stores: Settings, consent_id: str, reason: str, *, withdraw: bool) -> Revocation:
    """End a consent; with `withdraw` also what was published and made on it. Again: the rest."""
    from avatarlab_ops.housekeeping import evict

    met = withdrawal.revoke(stores, consent_id, reason)
    why = f"consent {consent_id} was revoked: {reason}"
    asked = (*met.videos, *met.withdrawn) if withdraw else ()
    gone = set(withdrawal.withdraw_each(stores, asked, why))
    if withdraw:
        evict.of_material(stores, met.material)
    return Revocation(
        stopped=list(met.stopped),
        videos=[one for one in asked or met.videos if one not in gone],
        withdrawn=[one for one in met.videos if one in gone],
        still_held=list(met.still_held),
    )
