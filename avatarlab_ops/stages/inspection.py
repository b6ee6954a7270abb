"""What is the object that a request names? Found in the store, probed and looked at once a version of it.

What was seen is kept in the catalog, and counts until the object or the way of looking is another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatarlab_ops.errors import InputError, MediaRefused, ReferenceRefused
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.sniff import Kind
from avatarlab_ops.plan import Look, Marks, Source
from avatarlab_ops.reading.lexicon import Entry
from avatarlab_ops.request import MAX_SAMPLE_S, Avatar
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.trust import inputs

PICTURES: tuple[Kind, ...] = ("image", "video")
LOOK_VERSION = "7"  # raised whenever `look` may judge otherwise: what it saw before counts no longer
PROBE_VERSION = "7"  # raised whenever probing may tell more of an input: it is then probed once more
# Under this key `InputObject.looks` keeps that a clip's sound was checked; raise the number with the check.
HEARD = "sound 2"
NARRATION_HZ = 24_000
MAX_SOUND_BYTES = 64 * 1024**2  # thirty seconds of the largest PCM


@dataclass
class Seen:
    """What was found of objects a moment ago, for many requests that name the same ones.

    `looking`: what nobody has looked at before is fetched and looked at; else it is NeverSeen.
    """

    looking: bool = True
    stored: dict[str, Stored] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    lexicons: dict[str, tuple[Source, tuple[Entry, ...]]] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    consents: set[str] = field(default_factory=set)


class NeverSeen(Exception):
    """An object that the catalog knows nothing of, met without `Seen.looking`."""


def inspect(settings: Settings, uri: str) -> tuple[Source, Look | None, str | None]:
    """(what an input object is, its leading face, why it can be no avatar).

    Raises ReferenceRefused or MediaRefused for an object that no request may use.
    """
    seen = Seen()
    with workspace(settings, "inspect") as folder:
        source = resolve(settings, uri, folder / "object", seen, allow=(*PICTURES, "audio"))
        if source.kind == "audio":
            return source, None, "it is a sound"
        try:
            return source, leading_face(settings, Avatar(uri=uri), source, folder / "object", seen), None
        except InputError as error:
            return source, None, str(error)


def resolve(
    settings: Settings, uri: str, folder: Path, seen: Seen, *, allow: tuple[Kind, ...] = PICTURES
) -> Source:
    """Digest and measurements of an input object."""
    if uri not in seen.sources or seen.sources[uri].kind not in allow:
        seen.sources[uri] = _known_or_probed(settings, uri, folder, allow, seen)
    return seen.sources[uri]


def _known_or_probed(
    settings: Settings, uri: str, folder: Path, allow: tuple[Kind, ...], seen: Seen
) -> Source:
    """Digest and measurements, from the catalog where this version was seen before, else from the object."""
    found = head(settings, uri, seen)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, uri, found.etag)
    if known and known.bytes == found.bytes and known.media.get("probed") == PROBE_VERSION:
        source = Source.model_validate(known.media)
        if source.kind in allow:
            return source
    if not seen.looking:
        raise NeverSeen(uri)
    source = _probed(settings, found, _local(folder, found), allow)
    with transaction(settings.pg_dsn) as db:
        records.record_input(db, uri, found.etag, source.record())
    return source


def head(settings: Settings, uri: str, seen: Seen) -> Stored:
    """The version of an input object that the store holds now. Raises ReferenceRefused when it has none."""
    if uri not in seen.stored:
        found = objects(settings).head(*inputs.place(settings, uri))
        if found is None:
            raise ReferenceRefused(f"{uri} does not exist; upload it or correct the reference")
        seen.stored[uri] = found
    return seen.stored[uri]


def _probed(settings: Settings, found: Stored, path: Path, allow: tuple[Kind, ...]) -> Source:
    from avatarlab_ops.media import foreign

    limits = Limits(max_bytes=MAX_SOUND_BYTES, max_sound_s=MAX_SAMPLE_S) if allow == ("audio",) else Limits()
    sha256 = objects(settings).download(
        found.bucket, found.key, path, sha256=found.sha256, max_bytes=limits.max_bytes
    )
    info = foreign.probe(path, limits, allow=allow)
    marks, noted = _marks(path)
    timed: dict[str, Any] = {}
    if info.kind == "video":
        timed = {"fps": info.fps, "frames": info.frames, "duration_s": info.duration_s}
        timed["usual_fps"] = info.usual_fps if info.variable_rate else None
        timed["own_alpha"] = info.own_alpha
    elif info.kind == "audio":
        timed = {"duration_s": info.duration_s}
    return Source(
        uri=found.uri, sha256=sha256, bytes=found.bytes, kind=info.kind,
        width=info.width, height=info.height, **timed,
        notes=(*info.notes, *noted), marks=marks, sound=info.has_audio, probed=PROBE_VERSION,
        read_as=info.read_as,
    )  # fmt: skip


def _marks(path: Path) -> tuple[Marks | None, list[str]]:
    """The content credentials in an input, and notes on them; broken ones do not refuse the input."""
    from avatarlab_ops.media import foreign

    try:
        found = foreign.read_credentials(path)
    except MediaRefused as error:
        return None, [str(error)]
    if found is None:
        return None, []
    marks = Marks(
        manifest=found.manifest, issuer=found.issuer, generator=found.generator, intact=found.intact
    )
    return marks, [f"The file came with {marks}."]


def leading_face(settings: Settings, asked: Avatar, avatar: Source, folder: Path, seen: Seen) -> Look:
    """The one leading face of this version of the object, as found now or before. Raises FaceRefused."""
    part = f"{LOOK_VERSION} {asked.start_s}-{asked.end_s}"
    key = f"{avatar.uri} {part}"
    if key not in seen.looks:
        seen.looks[key] = _seen_or_looked(settings, asked, avatar, folder, part, seen=seen)
    return seen.looks[key]


def _seen_or_looked(
    settings: Settings, asked: Avatar, avatar: Source, folder: Path, part: str, *, seen: Seen
) -> Look:
    found = head(settings, avatar.uri, seen)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, avatar.uri, found.etag)
    if known is not None and part in known.looks and known.sha256 == avatar.sha256:
        return Look.model_validate(known.looks[part])
    if not seen.looking:
        raise NeverSeen(avatar.uri)
    from avatarlab_ops.stages.look import look  # brings OpenCV and the networks

    path = _fetched(settings, found, avatar, folder)
    face = look(path, avatar, asked.start_s, asked.end_s)
    with transaction(settings.pg_dsn) as db:
        records.record_look(db, avatar.uri, found.etag, part, face.model_dump(mode="json"))
    return face


def check_clip_heard(settings: Settings, clip: Source, folder: Path, seen: Seen) -> None:
    """Raise MediaRefused for a clip with silence, or little more than nothing; of sounds the probe does so.

    What was heard of this version of the object is kept with what was seen of it.
    """
    found = head(settings, clip.uri, seen)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, clip.uri, found.etag)
    if known is not None and HEARD in known.looks:
        return
    if not seen.looking:
        raise NeverSeen(clip.uri)
    from avatarlab_ops.media import foreign
    from avatarlab_ops.media.sound import check_heard

    limits, path = Limits(), _fetched(settings, found, clip, folder)
    samples = foreign.read_sound(path, NARRATION_HZ, max_s=limits.max_sound_s)
    duration_s = check_heard(
        f"narration: the sound of {clip.uri}", samples, NARRATION_HZ,
        min_s=limits.min_sound_s, max_s=limits.max_sound_s,
    )  # fmt: skip
    with transaction(settings.pg_dsn) as db:
        records.record_look(db, clip.uri, found.etag, HEARD, {"duration_s": duration_s})


def _fetched(settings: Settings, found: Stored, source: Source, folder: Path) -> Path:
    path = _local(folder, found)
    if not path.exists():
        objects(settings).download(
            found.bucket, found.key, path, sha256=source.sha256, max_bytes=source.bytes
        )
    return path


def _local(folder: Path, found: Stored) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / Path(found.key).name
