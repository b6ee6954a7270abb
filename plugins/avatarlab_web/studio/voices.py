"""The voices that can be chosen, and what they sound like."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from avatarlab_ops import engines
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.engines.info import SpeechInfo
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.progress import silent
from avatarlab_web.studio.access import Viewer
from avatarlab_web.studio.page import text, texts

KEPT = 40  # samples in memory, some 100 kB each
router = APIRouter()


@dataclass(frozen=True)
class Voice:
    """A voice that can speak now. `heard`: its sample is made on the CPU in about a second.

    `accent`: in which accent, where one is clear.
    """

    engine: str
    name: str
    languages: tuple[str, ...]
    heard: bool
    accent: str


def voices() -> list[Voice]:
    """Every voice of the speech engines whose weights are there."""
    able = [engines.info("speech", name) for name in engines.names("speech")]
    return [
        Voice(engine.name, voice.name, spoken, _is_heard(engine, spoken[0]), voice.accent)
        for engine in able
        if all(_is_there(file) for file in engine.file_names)
        for voice in engine.voices
        for spoken in [voice.languages or engine.languages]
    ]


def _is_heard(engine: SpeechInfo, language: str) -> bool:
    return not engine.cuda and f"sample.{language.partition('-')[0]}" in texts()


def _is_there(file: str) -> bool:
    try:
        return weights.path(file).is_file()
    except EngineUnavailable:
        return False


@router.get("/voices/{engine}/{name}/sample")
def sample(engine: str, name: str, _who: Viewer) -> Response:
    """A spoken sentence as WAV."""
    if not any((one.engine, one.name) == (engine, name) and one.heard for one in voices()):
        raise HTTPException(404, "there is no sample of this voice")
    lasting = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(spoken(engine, name), 200, lasting, "audio/wav")


@functools.lru_cache(maxsize=KEPT)
def spoken(engine: str, name: str) -> bytes:
    """The sample sentence in that voice, at the loudness of a video."""
    from avatarlab_ops.media.audio import write_speech
    from avatarlab_ops.stages.speech import TARGET_LUFS

    known = engines.info("speech", engine)
    language = known.language(None, name) or known.languages[0]
    said = [Sentence(text(f"sample.{language.partition('-')[0]}"), 0.0)]
    speech = engines.load("speech", engine).speak(said, language=language, voice=name, seed=0, report=silent)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sample.wav"
        write_speech(wav, speech.samples, speech.sample_rate, TARGET_LUFS)
        return wav.read_bytes()
