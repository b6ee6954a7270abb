"""What is installed brings its licence as consent: the demo's picture, and the engines' built-in voices.

They are ordinary consent records, found, listed and revoked as any other; a revoked one stays revoked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from avatarlab_ops import engines
from avatarlab_ops.engines.info import SpeechInfo
from avatarlab_ops.stores.catalog import consents


@dataclass(frozen=True)
class Licensed:
    """One likeness or voice with the terms under which anybody may use it."""

    id: str
    kind: str  # likeness | voice
    material: str  # as in the table `consent`
    subject: str
    terms: str


DEMO = Licensed(
    "licence-demo-astronaut",
    "likeness",
    "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "Eileen Collins, portrait by NASA (S99-E-5200)",
    "NASA's photographs are in the public domain (NASA Images and Media Usage Guidelines). The picture "
    "shows a living person: it is here to show the software, never to suggest that she or NASA says or "
    "endorses a text.",
)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)  # licences have no beginning; any date before the first render does


def licensed() -> Iterator[Licensed]:
    """All that is installed with its terms."""
    yield DEMO
    for engine in engines.known().engines.values():
        for voice in engine.voices if isinstance(engine, SpeechInfo) else ():
            name = f"{engine.name}/{voice.name}"
            id_ = f"licence-voice-{engine.name}-{voice.name}"
            yield Licensed(id_, "voice", name, voice.subject, voice.terms)


def record(db: Session) -> None:
    """Put the records in place; those that exist are left as they are, revoked ones too."""
    for one in licensed():
        consents.add(
            db,
            one.id,
            kind=one.kind,
            material=one.material,
            subject=one.subject,
            terms=one.terms,
            valid_from=SINCE,
        )
