"""Script, or a recording of it, to speech.wav and timeline.json."""

from __future__ import annotations

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.media.audio import read_wav, write_speech
from avatarlab_ops.request import MAX_SAMPLE_S
from avatarlab_ops.script import sentences
from avatarlab_ops.stages import listen
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stages.narration import narrated
from avatarlab_ops.stores.artifacts import Product
from avatarlab_ops.timeline import Timeline

SAMPLE_HZ = 24_000  # of voice samples as engines get them
TARGET_LUFS = -16.0  # the level of spoken video on the web


def run(work: Context) -> Product:
    """Speak the script and bring it to the target loudness."""
    plan = work.plan
    engine = engines.load("speech", plan.engines.speech)
    sentences, noted = _sentences(work)
    speech = engine.speak(
        sentences,
        language=plan.language,
        voice=plan.voice,
        seed=plan.seed,
        report=work.report,
        sample=_sample(work),
    )
    if plan.narration is not None:
        speech = narrated(work, plan.narration, speech, noted)
    wav, timeline = work.new("speech.wav"), work.new("timeline.json")
    measured_lufs = write_speech(wav, speech.samples, speech.sample_rate, TARGET_LUFS)
    timeline.write_text(speech.timeline.model_dump_json())
    facts = {
        "duration_s": len(speech.samples) / speech.sample_rate,
        "sample_rate": speech.sample_rate,
        "loudness_lufs": round(float(measured_lufs), 2),
        "words": len(speech.timeline.words),
        "warnings": list(speech.timeline.warnings),
        "timeline": speech.timeline.model_dump(mode="json"),
    }
    return Product({"speech.wav": wav, "timeline.json": timeline}, facts)


def _sentences(work: Context) -> tuple[list[Sentence], tuple[str, ...]]:
    """(sentences, notes): of the script, or without one of the words recognised in the narration."""
    plan = work.plan
    if plan.script:
        return [Sentence(**dict(line)) for line in plan.script], ()
    from avatarlab_ops.media import lettering

    heard = listen.read(work)
    found = sentences(heard, engine=plan.engines.speech, language=plan.language)
    if plan.captions == "burned":
        lettering.check(heard)
    told = (
        "narration: its words were recognised, so captions may be wrong in places; give the script where not"
    )
    return list(found.sentences), (told, *found.warnings)


def _sample(work: Context) -> VoiceSample | None:
    """The voice to clone, if one was given."""
    from avatarlab_ops.media import foreign

    source, transcript = work.plan.voice_sample, work.plan.voice_transcript
    if source is None or transcript is None:
        return None
    samples = foreign.read_sound(work.source(source), SAMPLE_HZ, max_s=MAX_SAMPLE_S)
    return VoiceSample(samples, SAMPLE_HZ, transcript)


def read(work: Context) -> Speech:
    """The speech that an earlier stage made."""
    samples, sample_rate = read_wav(work.artifact("speech", "speech.wav"))
    text = work.artifact("speech", "timeline.json").read_text()
    return Speech(samples, sample_rate, Timeline.model_validate_json(text))
