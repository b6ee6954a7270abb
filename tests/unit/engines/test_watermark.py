"""The mark in speech: heard where it was set and nowhere else, whatever pieces the speech comes in."""

from __future__ import annotations

import numpy as np
import pytest

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Sentence, WatermarkEngine
from avatarlab_ops.engines.watermark import perth
from avatarlab_ops.media.audio import Samples, resample
from avatarlab_ops.progress import silent

RATE = 24_000


@pytest.fixture(scope="module")
def engine() -> WatermarkEngine:
    return engines.load("watermark", "perth")


@pytest.fixture(scope="module")
def speech() -> Samples:
    said = [Sentence("Good morning, and thank you for watching this short film about our work.", 0.2)]
    spoken = engines.load("speech", "hibari").speak(
        said, language="en-US", voice="heart", seed=0, report=silent
    )
    assert spoken.sample_rate == RATE
    return spoken.samples


def _marked(engine: WatermarkEngine, samples: Samples, piece: int = 16_384) -> Samples:
    blocks = (samples[at : at + piece] for at in range(0, len(samples), piece))
    return np.concatenate(list(engine.marked(blocks, RATE)))


def _sure(engine: WatermarkEngine, samples: Samples) -> list[float]:
    return engine.confidence(resample(samples, RATE, perth.HZ))


def test_the_mark_is_heard_and_plain_speech_has_none(engine: WatermarkEngine, speech: Samples) -> None:
    marked = _marked(engine, speech)
    assert marked.shape == speech.shape
    assert min(_sure(engine, marked)) > perth.SURE > max(_sure(engine, speech))
    assert min(_sure(engine, marked[: 3 * RATE] / 4)) > perth.SURE


def test_what_lies_above_2_khz_stays_as_it_is(engine: WatermarkEngine, speech: Samples) -> None:
    added = np.abs(np.fft.rfft(_marked(engine, speech) - speech)) ** 2
    above = round(2200 / RATE * len(speech))
    assert added[above:].sum() < 1e-3 * added.sum()


def test_pieces_meet_without_a_seam(engine: WatermarkEngine, speech: Samples) -> None:
    long = np.tile(speech, 10)[: 45 * RATE]
    pieces = _marked(engine, long)
    assert np.array_equal(pieces, _marked(engine, long, piece=len(long)))
    seam = 20 * RATE
    late = long[10 * RATE :]  # its seams lie elsewhere
    there = slice(seam - RATE // 2, seam + RATE // 2)
    added = (pieces - long)[there]
    other = (_marked(engine, late) - late)[there.start - 10 * RATE : there.stop - 10 * RATE]
    assert np.square(added - other).sum() < 1e-3 * np.square(added).sum()


def test_silence_stays_silent_and_is_not_judged(engine: WatermarkEngine) -> None:
    silence = np.zeros(3 * RATE, np.float32)
    assert np.abs(_marked(engine, silence)).max() < 1e-6
    assert _sure(engine, silence) == []
    assert _sure(engine, silence[:100]) == []
    assert len(_marked(engine, silence[:100])) == 100
