"""What a recording says, in which language; and nothing where nothing is said."""

import dataclasses
from importlib import metadata

import numpy as np
import pytest

from avatarlab_ops import engines, script
from avatarlab_ops.engines.base import RecogniserEngine
from avatarlab_ops.media.audio import Samples, resample
from avatarlab_ops.progress import silent

SAID = "Good morning, everybody. It costs $20 a day."
HZ = 16_000


@pytest.fixture(scope="module")
def recording() -> Samples:
    found = script.sentences(SAID, engine="hibari", language="en-US").sentences
    voice = engines.load("speech", "hibari")
    spoken = voice.speak(list(found), language="en-US", voice="heart", seed=3, report=silent)
    return resample(spoken.samples, spoken.sample_rate, HZ)


@pytest.fixture(scope="module")
def ear() -> RecogniserEngine:
    return engines.load("recogniser", "whisper")


def test_a_recording_is_written_down(ear: RecogniserEngine, recording: Samples) -> None:
    told: list[tuple[int, int, str]] = []
    heard = ear.heard(recording, language="en-US", report=lambda *report: told.append(report))
    assert (heard.text, heard.language) == (SAID, "en")
    assert heard.sure > 0.9
    assert told[-1][0] == pytest.approx(told[-1][1], abs=1)


def test_another_language_than_asked_is_told_and_not_written_down(
    ear: RecogniserEngine, recording: Samples
) -> None:
    heard = ear.heard(recording, language="es", report=silent)
    assert (heard.text, heard.language) == ("", "en")


def test_words_that_are_hard_to_hear_are_never_drawn_by_chance(
    ear: RecogniserEngine, recording: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).standard_normal(len(recording)).astype(np.float32)
    model = vars(ear)["_model"]
    transcribe, temperatures = model.transcribe, list[float]()

    def watched(*args: object, **how: object) -> object:
        passages, about = transcribe(*args, **how)
        kept = list(passages)
        temperatures.extend(passage.temperature for passage in kept)
        return kept, about

    monkeypatch.setattr(model, "transcribe", watched)
    ear.heard(recording[::-1] + 0.03 * noise, language="en-US", report=silent)
    assert set(temperatures) == {0.0}


def test_words_that_go_round_and_round_are_none(
    ear: RecogniserEngine, recording: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = vars(ear)["_model"]
    transcribe = model.transcribe

    def looping(*args: object, **how: object) -> object:
        passages, about = transcribe(*args, **how)
        heard = list(passages)
        loop = dataclasses.replace(heard[0], text=" Thank you." * 20, compression_ratio=10.0)
        return [*heard, loop], about

    plain = ear.heard(recording, language="en-US", report=silent)
    monkeypatch.setattr(model, "transcribe", looping)
    assert plain.text
    assert ear.heard(recording, language="en-US", report=silent) == plain


def test_other_libraries_are_another_ear() -> None:
    version = engines.info("recogniser", "whisper").version
    for library in ("faster-whisper", "ctranslate2"):
        assert f"{library}-{metadata.version(library)}" in version


@pytest.mark.parametrize("what", ["silence", "music"])
def test_where_nothing_is_said_there_are_no_words(ear: RecogniserEngine, what: str) -> None:
    seconds = np.arange(4 * HZ) / HZ
    notes = 220 * 2 ** (np.floor(seconds * 2) % 12 / 12)
    music = sum(0.1 / h * np.sin(2 * np.pi * h * notes * seconds) for h in range(1, 6))
    samples = np.asarray(music if what == "music" else 0 * seconds, np.float32)
    assert ear.heard(samples, language="en-US", report=silent).text == ""
