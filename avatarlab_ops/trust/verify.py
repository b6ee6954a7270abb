"""What a file is: a video of ours as it was published, a changed one, or a stranger's.

The strongest layer that recognises it decides: the digest of a published file, then content credentials, then
its sound, then the mark in its speech.
Foreign bytes are hashed here and read nowhere but behind the gate of `media.foreign`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops import engines
from avatarlab_ops.engines.watermark import perth
from avatarlab_ops.errors import InputError, MediaRefused
from avatarlab_ops.graph import PUBLISH
from avatarlab_ops.media import foreign, soundprint
from avatarlab_ops.media.audio import Samples, resample
from avatarlab_ops.media.credentials import Credentials
from avatarlab_ops.media.probe import Limits
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import prints, records, tables, transaction
from avatarlab_ops.trust import tombstones
from avatarlab_ops.trust.tombstones import Tombstone
from avatarlab_ops.trust.verdicts import SENTENCES, Verdict

SAME = 0.2  # of a print's bits: codecs change up to 0.1, noise at 10 dB 0.19; other speech differs in 0.26
# A print bears 1.2 % of another speed; what is found at none of these and not at its own is not found.
SPEEDS = (1.015, 0.985, 1.03, 0.97, 1.045, 0.955, 1.06, 0.94)
EXCERPT_S = 20.0  # that is tried at other speeds
MOST_WORDS = 8000  # that are looked up


@dataclass(frozen=True)
class Layer:
    """One way to recognise a file, and what it says."""

    name: str  # digest | content credentials | sound | watermark
    says: str
    recognised: bool


@dataclass(frozen=True)
class Finding:
    """What a file is. Everything about a render is None where none is recognised.

    `verdict`: published (byte for byte), unchanged (what was signed is), changed, claimed (names a render of
    ours without our signature), recognised (by its sound alone), marked (as
    synthetic speech is here, of which render is not known), foreign.
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
        return _finding(settings, published.render_id, Finding(path.name, sha256, "published", "", (layer,)))
    unknown = Layer("digest", "no published file has it", recognised=False)
    verdict, render_id, layer = _by_credentials(settings, path)
    layers: tuple[Layer, ...] = (unknown, layer)
    if not layer.recognised:
        heard, others = _by_sound(settings, path)
        layers += others
        if verdict == "foreign" and heard:
            verdict, render_id = "recognised", heard
        elif verdict == "foreign" and others[-1].recognised:
            verdict = "marked"
    return _finding(settings, render_id, Finding(path.name, sha256, verdict, "", layers))


def _sha256(path: Path) -> str:
    try:
        size, most = path.stat().st_size, Limits().max_bytes
        if size > most:
            raise MediaRefused(f"{path.name} has {size:,} bytes; at most {most:,} are looked at")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
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


def _by_sound(settings: Settings, path: Path) -> tuple[str | None, tuple[Layer, ...]]:
    """The render that it sounds like, if there is one, and what its sound and the mark in it say."""
    try:
        samples = foreign.read_sound(path, soundprint.HZ, max_s=Limits().max_duration_s)
    except MediaRefused as error:
        return None, (Layer("sound", str(error), recognised=False),)
    render_id, layer = _by_print(settings, samples)
    return render_id, (layer, _by_watermark(samples))


def _by_watermark(samples: Samples) -> Layer:
    sure = engines.load("watermark", "perth").confidence(samples)
    marked = sum(one > perth.SURE for one in sure)
    told = f"in {marked} of {len(sure)} parts of 10 s" if marked else "none"
    return Layer("watermark", told, recognised=marked > 0)


def _by_print(settings: Settings, samples: Samples) -> tuple[str | None, Layer]:
    render_id, told = _nearest(settings, samples)
    excerpt = samples[: round(EXCERPT_S * soundprint.HZ)]
    for speed in SPEEDS:
        if render_id:
            break
        render_id, told = _nearest(settings, resample(excerpt, 1000, round(1000 * speed)))
        told += f"; it runs at about {speed:.1%} of its speed" if render_id else ""
    return render_id, Layer("sound", told, recognised=render_id is not None)


def _nearest(settings: Settings, samples: Samples) -> tuple[str | None, str]:
    """The video whose print is that of these samples, and what is said of it."""
    every = soundprint.words(samples)
    heard = np.unique(every[every != 0])
    with transaction(settings.pg_dsn) as db:
        near = [(soundprint.distance(every, np.array(one.words, np.int32)), one.artifact)
                for one in prints.like(db, heard[:: 1 + len(heard) // MOST_WORDS].tolist())]  # fmt: skip
        least, artifact = min(near, default=(1.0, ""))
        said = prints.videos(db, artifact) if least < SAME else []
    if not said:
        return None, "no published video sounds like it"
    also = f" and of {len(said) - 1} more that say the same" if len(said) > 1 else ""
    return said[0], f"that of {said[0]}{also}; {least:.0%} of its print differs"


def _credentials(path: Path, anchor: str = "") -> Credentials | None:
    beside = path.with_suffix(".c2pa")
    sidecar = beside if path.suffix == ".webm" and beside.is_file() else None
    return foreign.read_credentials(path, sidecar, anchor=anchor)


def _finding(settings: Settings, render_id: str | None, found: Finding) -> Finding:
    """With what the catalog knows of the render."""
    says = SENTENCES[found.verdict]
    if render_id is None:
        return replace(found, says=says)
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
