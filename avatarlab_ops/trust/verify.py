"""What a file is: a video of ours as it was published, a changed one, or a stranger's.

The strongest layer that recognises it decides: the digest of a published file, then content credentials, then
its sound and its picture together, then the mark in its speech.
Foreign bytes are hashed here and read nowhere but behind the gate of `media.foreign`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.errors import InputError, MediaRefused
from avatarlab_ops.files import sha256_of
from avatarlab_ops.graph import PUBLISH
from avatarlab_ops.media import foreign, soundprint
from avatarlab_ops.media.audio import Samples
from avatarlab_ops.media.credentials import Credentials
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, tables, transaction
from avatarlab_ops.trust import recognise, tombstones
from avatarlab_ops.trust.recognise import Match
from avatarlab_ops.trust.tombstones import Tombstone
from avatarlab_ops.trust.verdicts import ONLY_PICTURE, ONLY_SOUND, SENTENCES, Verdict

HEARD_S = 1200.0  # of a file's sound; what is longer is told by its beginning


@dataclass(frozen=True)
class Layer:
    """One way to recognise a file, and what it says."""

    name: str  # digest | content credentials | sound | picture | watermark
    says: str
    recognised: bool


@dataclass(frozen=True)
class Finding:
    """What a file is. Everything about a render is None where none is recognised.

    `verdict`: published (byte for byte), unchanged (what was signed is), changed, claimed (names a render of
    ours without our signature), recognised (by all that it has of sound and picture), other_picture (only its
    sound is ours), other_sound (only its picture), mixed (of two videos of ours; the render is that of its
    sound), marked (as synthetic speech is here, of which render is not known), foreign.
    """

    file: str
    sha256: str
    verdict: Verdict
    says: str
    layers: tuple[Layer, ...]
    render_id: str | None = None
    run_id: str | None = None
    published_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_reason: str | None = None
    tombstone: Tombstone | None = None  # the signed proof that it was withdrawn


def verify(settings: Settings, path: Path) -> Finding:
    """Say what a file is; a WebM's credentials are looked for beside it (`video.c2pa` for `video.webm`).

    Raises InputError when it cannot be read, MediaRefused when it is too large or breaks its reader.
    """
    sha256 = _sha256(path)
    with transaction(settings.pg_dsn) as db:
        published = _published(db, sha256)
    if published is not None:
        layer = Layer("digest", f"{published.name} of {published.render_id}", recognised=True)
        return _finding(
            settings,
            published.render_id,
            Finding(path.name, sha256, "published", SENTENCES["published"], (layer,)),
        )
    unknown = Layer("digest", "no published file has it", recognised=False)
    verdict, render_id, layer = _by_credentials(settings, path)
    layers: tuple[Layer, ...] = (unknown, layer)
    says = SENTENCES[verdict]
    if not layer.recognised:
        by_content = _by_content(settings, path)
        layers += by_content[-1]
        if verdict == "foreign":
            verdict, says, render_id, _ = by_content
    return _finding(settings, render_id, Finding(path.name, sha256, verdict, says, layers))


def _sha256(path: Path) -> str:
    try:
        size, most = path.stat().st_size, Limits().max_bytes
        if size > most:
            raise MediaRefused(f"{path.name} has {size:,} bytes; at most {most:,} are looked at")
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _published(db: Session, sha256: str) -> tables.PublishedFile | None:
    """The published file of this digest; of several the newest that is still shown, if any is."""
    mine = sa.select(tables.PublishedFile).join(tables.Render).where(tables.PublishedFile.sha256 == sha256)
    newest = mine.order_by(tables.Render.withdrawn_at.is_not(None), tables.Render.ended_at.desc()).limit(1)
    return db.scalars(newest).first()


def _by_credentials(settings: Settings, path: Path) -> tuple[Verdict, str | None, Layer]:
    found = _credentials(path)
    if found is None:
        none = Layer("content credentials", "none", recognised=False)
        return "foreign", None, none
    named = found.render.get("render_id", "")
    with transaction(settings.pg_dsn) as db:
        render = db.get(tables.Render, named)
        signed = records.artifacts_of(db, named).get(PUBLISH.name)
    if render is None:
        made = f"signed by {found.issuer} with {found.generator or 'an unknown program'}"
        return "foreign", None, Layer("content credentials", made, recognised=False)
    kept = signed.facts.get("credentials", {}) if signed else {}
    if kept.get("anchor"):
        found = _credentials(path, kept["anchor"]) or found
    ours = found.signed and found.trusted and found.serial == kept.get("serial")
    if not ours:
        claim = Layer("content credentials", f"signed by {found.issuer}, not by us", recognised=False)
        return "claimed", named, claim
    says = f"signed by {found.issuer}" + ("" if found.intact else f"; {', '.join(found.failures)}")
    return (
        "unchanged" if found.intact else "changed",
        named,
        Layer("content credentials", says, recognised=True),
    )


def _by_content(settings: Settings, path: Path) -> tuple[Verdict, str, str | None, tuple[Layer, ...]]:
    """Verdict, sentence, render and layers by what is heard and seen."""
    marks: tuple[Layer, ...] = ()
    try:
        samples = foreign.read_sound(path, soundprint.HZ, max_s=HEARD_S, beginning=True)
    except MediaRefused as error:
        heard = Match((), str(error), told=False)
    else:
        heard, marks = recognise.sound(settings, samples), (_by_watermark(samples),)
    seen = recognise.picture(settings, path, heard)
    layers = (_layer("sound", heard), _layer("picture", seen), *marks)
    verdict, says, render_id = _together(heard, seen)
    if verdict == "foreign" and layers[-1].recognised:
        verdict, says = "marked", SENTENCES["marked"]
    return verdict, says, render_id, layers


def _by_watermark(samples: Samples) -> Layer:
    marked, where = recognise.watermark(samples)
    return Layer("watermark", where, recognised=marked)


def _layer(name: str, found: Match) -> Layer:
    return Layer(name, found.says, recognised=bool(found.renders))


def _together(heard: Match, seen: Match) -> tuple[Verdict, str, str | None]:
    """What sound and picture say together; where they differ, the render is that of the sound."""
    verdict: Verdict = "foreign"
    both = next((one for one in heard.renders if one in seen.renders), None)
    render_id = both or next(iter(heard.renders + seen.renders), None)
    if both:
        verdict = "recognised"
    elif heard.renders and seen.renders:
        verdict = "mixed"
    elif heard.renders:
        if not seen.told:
            return "recognised", f"{ONLY_SOUND} ({seen.says})", render_id
        verdict = "other_picture"
    elif seen.renders:
        if not heard.told:
            return "recognised", f"{ONLY_PICTURE} ({heard.says})", render_id
        verdict = "other_sound"
    return verdict, SENTENCES[verdict], render_id


def _credentials(path: Path, anchor: str = "") -> Credentials | None:
    beside = path.with_suffix(".c2pa")
    sidecar = beside if path.suffix == ".webm" and beside.is_file() else None
    return foreign.read_credentials(path, sidecar, anchor=anchor)


def _finding(settings: Settings, render_id: str | None, found: Finding) -> Finding:
    """With what the catalog knows of the render."""
    says = found.says
    if render_id is None:
        return found
    with transaction(settings.pg_dsn) as db:
        render = records.find(db, render_id)
        stone = tombstones.read(db, render_id) if render.withdrawn_at else None
    if render.withdrawn_at:
        says += f". The video was withdrawn on {render.withdrawn_at:%Y-%m-%d}: {render.withdrawn_reason}"
    return replace(
        found, says=says, render_id=render_id, run_id=render.run_id, published_at=render.ended_at,
        withdrawn_at=render.withdrawn_at, withdrawn_reason=render.withdrawn_reason,
        tombstone=stone,
    )  # fmt: skip
