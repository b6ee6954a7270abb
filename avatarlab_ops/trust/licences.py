"""What this project itself brings: the demo's picture and the built-in voices carry their licence as consent.

They are ordinary consent records, found, listed and revoked as any other; a revoked one stays revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from avatarlab_ops.stores.catalog import consents


@dataclass(frozen=True)
class Licensed:
    """One likeness or voice with the terms under which anybody may use it."""

    id: str
    kind: str  # likeness | voice
    material: str  # as in the table `consent`
    subject: str
    terms: str


_DRAWN = (
    "No person's voice: the model draws one at random, by the seed. Its weights are under CC BY-NC-SA 4.0: "
    "no commercial use, and whoever publishes the speech says that it is synthetic."
)
LICENSED = (
    Licensed(
        "licence-demo-astronaut",
        "likeness",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "Eileen Collins, portrait by NASA (S99-E-5200)",
        "NASA's photographs are in the public domain (NASA Images and Media Usage Guidelines). The picture "
        "shows a living person: it is here to show the software, never to suggest that she or NASA says or "
        "endorses a text.",
    ),
    Licensed(
        "licence-voice-hibari-heart",
        "voice",
        "hibari/heart",
        "synthetic voice `heart` of hibari-tts 0.2.1",
        "Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0): any use, with its notice.",
    ),
    Licensed("licence-voice-small_e-drawn", "voice", "small_e/drawn", "voices that Small-E draws", _DRAWN),
    Licensed("licence-voice-lina-drawn", "voice", "lina/drawn", "voices that Lina-Speech draws", _DRAWN),
)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)  # licences have no beginning; any date before the first render does


def record(db: Session) -> None:
    """Put the records in place; those that exist are left as they are, revoked ones too."""
    for one in LICENSED:
        consents.add(
            db,
            one.id,
            kind=one.kind,
            material=one.material,
            subject=one.subject,
            terms=one.terms,
            valid_from=SINCE,
        )
