"""May this request be rendered? Everything that can be refused is refused here, before any engine runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatarlab_ops import engines, model_files
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.info import SAMPLED_VOICE, EngineInfo
from avatarlab_ops.errors import EngineUnavailable, FaceRefused, MediaRefused, ReferenceRefused
from avatarlab_ops.media.sniff import Kind
from avatarlab_ops.plan import Plan, Source, Spoken, footage_spec, picture
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.script import Script, sentences
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.trust import consent, inputs

FACE_SAMPLES = 8  # frames looked at, spread over the first seconds
FACE_WINDOW_S = 8.0
PICTURES: tuple[Kind, ...] = ("image", "video")
MAX_SOUND_BYTES = 64 * 1024**2  # thirty seconds of the largest PCM
FACE_SIDE_PX = 720  # enough to see a face; smaller frames are read faster


@dataclass
class Seen:
    """What was found of objects a moment ago, for many requests that name the same ones."""

    sources: dict[str, Source] = field(default_factory=dict)
    faces: set[str] = field(default_factory=set)
    consents: set[str] = field(default_factory=set)


def admit(settings: Settings, request: AvatarRequest, seen: Seen | None = None) -> Plan:
    """Resolve a request to a plan; `seen` spares looking at an object again.

    Raises the InputError that names what is wrong.
    """
    seen = seen or Seen()
    language, voice = _check_engines(settings, request)
    _check_cloning(request)
    script = _script(request)
    with workspace(settings, "admit") as folder:
        avatar = _resolve(settings, request.avatar.uri, folder / "avatar", seen)
        sample = _voice_sample(settings, request, folder, seen)
        used = consent.likeness(avatar), consent.voice(request.engines.speech, voice, sample)
        _require_consent(settings, used, language, request.labels, seen)
        _require_face(settings, avatar, folder / "avatar", seen)
        backdrop = _backdrop(settings, request, folder, seen)
    shape = picture(request.output, request.background, avatar.width, avatar.height)
    return Plan(
        script=tuple(Spoken(text=sentence.text, pause_s=sentence.pause_s) for sentence in script.sentences),
        language=language,
        voice=voice,
        voice_sample=sample,
        voice_transcript=request.voice_sample.transcript,
        avatar=avatar,
        backdrop=backdrop,
        background=request.background,
        picture=shape,
        footage=footage_spec(shape, avatar),
        captions=request.captions,
        engines=request.engines,
        motion=request.motion,
        seed=request.seed,
        warnings=script.warnings,
    )


def _require_consent(
    settings: Settings,
    used: tuple[consent.Material, ...],
    language: str,
    labels: Mapping[str, str],
    seen: Seen,
) -> None:
    asked = repr((used, language, sorted(labels.items())))
    if asked not in seen.consents:
        with transaction(settings.pg_dsn) as db:
            consent.check(db, used, language, labels)
        seen.consents.add(asked)


def _check_engines(settings: Settings, request: AvatarRequest) -> tuple[str, str]:
    """Language and voice, the speech engine's first where none is named.

    Raises EngineUnavailable for what does not exist, cannot speak so, or lacks weights.
    """
    speech = engines.info("speech", request.engines.speech)
    chosen: list[EngineInfo] = [speech, engines.info("lipsync", request.engines.lipsync)]
    matting = engines.info("matting", request.engines.matting)
    if request.background.kind != "original":
        chosen.append(matting)
    language = request.language or speech.languages[0]
    if language not in speech.languages:
        able = [name for name in engines.names("speech") if _speaks(name, language)]
        raise EngineUnavailable(
            f"language: {speech.name} speaks {', '.join(speech.languages)}, not {language!r}; "
            f"engines that do: {', '.join(able) or 'none installed'}"
        )
    voice = request.voice or speech.voice_names[0]
    if voice not in speech.voice_names:
        raise EngineUnavailable(
            f"voice: {speech.name} has no voice {voice!r}; choose one of: {', '.join(speech.voice_names)}"
        )
    _check_weights(settings, chosen)
    return language, SAMPLED_VOICE if request.voice_sample.uri else voice


def _check_cloning(request: AvatarRequest) -> None:
    able = [name for name in engines.names("speech") if engines.info("speech", name).clones]
    if request.voice_sample.uri is not None and request.engines.speech not in able:
        raise EngineUnavailable(
            f"voice_sample: {request.engines.speech} cannot clone a voice; engines that can: "
            f"{', '.join(able) or 'none installed'}. Choose one as engines.speech, or leave the sample out"
        )


def _speaks(name: str, language: str) -> bool:
    return language in engines.info("speech", name).languages


def _check_weights(settings: Settings, chosen: list[EngineInfo]) -> None:
    """Raise EngineUnavailable that names every file which an engine lacks, and how to get it."""
    lacking = []
    for engine in chosen:
        model_files.ensure(settings, engine.file_names)
        for name in engine.file_names:
            try:
                weights.path(name)
            except EngineUnavailable as error:
                lacking.append(f"engines.{engine.kind}: {engine.name} needs {error}")
    if lacking:
        raise EngineUnavailable("; ".join(lacking))


def _script(request: AvatarRequest) -> Script:
    if isinstance(request.script, str):
        return sentences(request.script, engine=request.engines.speech)
    parts = [(line.text, line.pause_s) for line in request.script]
    return sentences(parts, engine=request.engines.speech)


def _backdrop(settings: Settings, request: AvatarRequest, folder: Path, seen: Seen) -> Source | None:
    if request.background.uri is None:
        return None
    source = _resolve(settings, request.background.uri, folder / "backdrop", seen)
    if source.kind != request.background.kind:
        raise MediaRefused(
            f"background: {source.uri} is of kind {source.kind}, not {request.background.kind}; "
            f"set background.kind to {source.kind} or choose another object"
        )
    return source


def _voice_sample(settings: Settings, request: AvatarRequest, folder: Path, seen: Seen) -> Source | None:
    uri = request.voice_sample.uri
    return _resolve(settings, uri, folder / "voice_sample", seen, allow=("audio",)) if uri else None


def _resolve(
    settings: Settings, uri: str, folder: Path, seen: Seen, *, allow: tuple[Kind, ...] = PICTURES
) -> Source:
    """Digest and measurements of an input object."""
    if uri not in seen.sources or seen.sources[uri].kind not in allow:
        seen.sources[uri] = _look(settings, uri, folder, allow)
    return seen.sources[uri]


def _look(settings: Settings, uri: str, folder: Path, allow: tuple[Kind, ...]) -> Source:
    """The same from the catalog where this version was seen before, else from the object itself."""
    found = _find(settings, uri)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, uri, found.etag)
    if known is not None and known.bytes == found.bytes:
        source = Source.model_validate(known.media)
        if source.kind in allow:
            return source
    source = _measure(settings, found, _local(folder, found), allow)
    with transaction(settings.pg_dsn) as db:
        records.record_input(db, uri, found.etag, source.model_dump(mode="json"))
    return source


def _local(folder: Path, found: Stored) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / Path(found.key).name


def _require_face(settings: Settings, avatar: Source, folder: Path, seen: Seen) -> None:
    """Raise FaceRefused unless this version of the object shows one leading face, as found now or before."""
    if avatar.uri not in seen.faces:
        _find_face(settings, avatar, folder)
        seen.faces.add(avatar.uri)


def _find_face(settings: Settings, avatar: Source, folder: Path) -> None:
    found = _find(settings, avatar.uri)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, avatar.uri, found.etag)
    if known is not None and known.face_checked and known.sha256 == avatar.sha256:
        return
    path = _local(folder, found)
    if not path.exists():
        store = objects(settings)
        store.download(found.bucket, found.key, path, sha256=avatar.sha256, max_bytes=avatar.bytes)
    _check_face(path, avatar)
    with transaction(settings.pg_dsn) as db:
        records.record_face(db, avatar.uri, found.etag)


def _find(settings: Settings, uri: str) -> Stored:
    found = objects(settings).head(*inputs.place(settings, uri))
    if found is None:
        raise ReferenceRefused(f"{uri} does not exist; upload it or correct the reference")
    return found


def _measure(settings: Settings, found: Stored, path: Path, allow: tuple[Kind, ...]) -> Source:
    from avatarlab_ops.media import foreign
    from avatarlab_ops.media.probe import Limits

    limits = Limits(max_bytes=MAX_SOUND_BYTES) if allow == ("audio",) else Limits()
    sha256 = objects(settings).download(
        found.bucket, found.key, path, sha256=found.sha256, max_bytes=limits.max_bytes
    )
    info = foreign.probe(path, limits, allow=allow)
    timed: dict[str, Any] = {}
    if info.kind == "video":
        timed = {"fps": info.fps, "frames": info.frames, "duration_s": info.duration_s}
    elif info.kind == "audio":
        timed = {"duration_s": info.duration_s}
    size = {"width": info.width, "height": info.height}
    return Source(uri=found.uri, sha256=sha256, bytes=found.bytes, kind=info.kind, **size, **timed)


def _check_face(path: Path, source: Source) -> None:
    """Raise FaceRefused unless some sampled frame shows one leading face."""
    from avatarlab_ops.engines.face import Landmarker, check_face

    landmarker, refusal = Landmarker(), None
    for frame in _samples(path, source):
        try:
            check_face(frame, landmarker)
        except FaceRefused as error:
            refusal = refusal or error
        else:
            return
    raise FaceRefused(f"{source.uri}: {refusal}") from refusal


def _samples(path: Path, source: Source) -> Iterator[Frame]:
    from avatarlab_ops.media import foreign

    rate = FACE_SAMPLES / FACE_WINDOW_S
    side = min(FACE_SIDE_PX, source.width, source.height)
    with foreign.open_footage(path, fps=rate, max_short_side_px=max(2, side)) as footage:
        for index in range(min(len(footage), FACE_SAMPLES)):
            yield footage[index]
