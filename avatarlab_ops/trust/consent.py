"""No likeness and no voice is used without a consent that is valid at that moment.

Asked at admission, before any engine sees the material, and again in the transaction that publishes. A
background is no likeness: nobody there is made to speak.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.orm import Session

from avatarlab_ops import language_tags
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ConsentError, RequestInvalid
from avatarlab_ops.fields import Part, Plain, PlainLines
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.printable import one_line
from avatarlab_ops.refusal import refusal
from avatarlab_ops.stores.catalog import consents, records
from avatarlab_ops.stores.catalog.tables import Consent
from avatarlab_ops.trust import licences


@dataclass(frozen=True)
class Material:
    """A likeness or a voice: what identifies it, and how people know it."""

    kind: str  # likeness | voice
    id: str  # sha256 of the bytes, or engine/name of a built-in voice
    name: str  # s3:// reference, or engine/name


@dataclass(frozen=True)
class Scope:
    """What a consent allows: any use, or only some languages, or only requests that carry every label."""

    languages: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def objection(self, language: str, labels: Mapping[str, str]) -> str | None:
        """Why a request is outside of it, None when it is inside."""
        if self.languages and not any(language_tags.covers(one, language) for one in self.languages):
            return f"covers {', '.join(self.languages)}, not {language}"
        for name, value in self.labels.items():
            if labels.get(name) != value:
                return f"covers only requests labelled {name}={value}"
        return None


def holds(kind: str, *, sound: bool) -> tuple[str, ...]:
    """What of people an input of this kind may hold, what it is mostly given for first."""
    seen = () if kind == "audio" else ("likeness",)
    return (*seen, "voice") if sound else seen


def likeness(avatar: Source) -> Material:
    """The likeness in an input object."""
    return Material("likeness", avatar.sha256, avatar.uri)


def voice(engine: str, name: str, sample: Source | None) -> Material:
    """The voice in a sample or narration; without one, a built-in voice."""
    if sample is not None:
        return Material("voice", sample.sha256, sample.uri)
    return Material("voice", f"{engine}/{name}", f"{engine}/{name}")


def materials(plan: Plan) -> tuple[Material, ...]:
    """What an admitted request uses of people."""
    return likeness(plan.avatar), voice(plan.engines.speech, plan.voice, plan.narration or plan.voice_sample)


class _Words(Part):
    """What people write in a record: it is shown to others, in lines and terminals."""

    subject: Plain
    languages: tuple[Plain, ...]
    labels: dict[Plain, Plain]
    licence: PlainLines | None


def record(
    db: Session,
    material: Material,
    *,
    subject: str,
    scope: Scope | None = None,
    document: tuple[str, str] | None = None,
    terms: str | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    recorded_by: str | None = None,
) -> str:
    """Record a consent and return its id; an equal one that holds already is returned instead.

    `document` is (s3:// reference, sha256) of what proves it, `terms` the licence that stands for it; one is
    required. Raises RequestInvalid.
    """
    scope = scope or Scope()
    _check_words(subject, scope, terms)
    if document is None and not terms:
        raise RequestInvalid("give a document or the text of a licence that proves the consent")
    at = records.now()
    if valid_until is not None and valid_until <= (valid_from or at):
        raise RequestInvalid(f"the consent ends on {valid_until:%Y-%m-%d %H:%M}, before it begins")
    uri, sha256 = document or (None, None)
    values: Json = {
        "subject": subject, "kind": material.kind, "material": material.id, "terms": terms,
        "scope": _plain(scope), "document_sha256": sha256, "valid_until": valid_until,
    }  # fmt: skip
    for known in consents.of_material(db, material.kind, material.id):
        if all(getattr(known, name) == value for name, value in values.items()) and _holds(known, at):
            return known.id
    consent_id = uuid.uuid4().hex[:12]
    consents.add(
        db, consent_id, document_uri=uri, valid_from=valid_from or at, recorded_by=recorded_by, **values
    )
    return consent_id


def _check_words(subject: str, scope: Scope, terms: str | None) -> None:
    if not subject.strip():
        raise RequestInvalid("the subject is empty; name the person, or the rights holder, who agrees")
    try:
        _Words(subject=subject, languages=scope.languages, labels=dict(scope.labels), licence=terms)
    except ValidationError as error:
        raise refusal(error) from error


def _plain(scope: Scope) -> Json:
    return {"languages": list(scope.languages), "labels": dict(scope.labels)} if scope != Scope() else {}


def scope_of(consent: Consent) -> Scope:
    """What a record allows."""
    return Scope(tuple(consent.scope.get("languages", ())), consent.scope.get("labels", {}))


def check(db: Session, needed: Iterable[Material], language: str, labels: Mapping[str, str]) -> list[Consent]:
    """One valid consent for each material in that use, held still until the transaction ends.

    Raises ConsentError saying whose consent is missing and how to record it.
    """
    return [_valid(db, material, language, labels) for material in needed]


def _valid(db: Session, material: Material, language: str, labels: Mapping[str, str]) -> Consent:
    at, refusals = records.now(), []
    for consent in _known(db, material):
        objection = _objection(consent, at) or scope_of(consent).objection(language, labels)
        if objection is None:
            return consent
        refusals.append(f"consent {consent.id} of {consent.subject} {objection}")
    what = f"the {material.kind} {material.name}"
    if material.id != material.name:
        what += f" (sha256 {material.id[:12]})"
    found = "; ".join(refusals) or "none is recorded"
    raise ConsentError(f"no valid consent for {what}: {found}. Record one with: {command(material)}")


def is_held(db: Session, material: Material) -> bool:
    """Whether some valid consent covers a material, for whatever use."""
    return any(_holds(one, records.now()) for one in _known(db, material))


def _known(db: Session, material: Material) -> list[Consent]:
    """Every record of a material; what this version declares is written when it is first asked for."""
    if known := list(consents.of_material(db, material.kind, material.id)):
        return known
    licences.record(db)
    return list(consents.of_material(db, material.kind, material.id))


def _holds(consent: Consent, at: datetime) -> bool:
    return _objection(consent, at) is None


def _objection(consent: Consent, at: datetime) -> str | None:
    """Why a record does not hold at that moment, None when it does."""
    if consent.revoked_at is not None:
        return f"was revoked on {consent.revoked_at:%Y-%m-%d %H:%M} ({one_line(consent.revoked_reason)})"
    if consent.valid_from > at:
        return f"begins on {consent.valid_from:%Y-%m-%d %H:%M}"
    if consent.valid_until is not None and consent.valid_until <= at:
        return f"expired on {consent.valid_until:%Y-%m-%d %H:%M}"
    return None


def command(material: Material) -> str:
    """What records a consent for a material."""
    kind = "" if material.kind == "likeness" else f" --kind {material.kind}"
    return f"avatarlab consent add {material.name}{kind} --subject NAME --evidence FILE"


def state_of(consent: Consent) -> str:
    """valid, or why it does not hold now."""
    return _objection(consent, records.now()) or "valid"


def provenance(consent: Consent) -> Json:
    """A record as a manifest shows it."""
    return {
        "id": consent.id, "kind": consent.kind, "material": consent.material, "subject": consent.subject,
        "scope": consent.scope, "document_sha256": consent.document_sha256, "terms": consent.terms,
        "valid_until": consent.valid_until.isoformat() if consent.valid_until else None,
    }  # fmt: skip
