"""Sound: files, rates, loudness."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatarlab_ops.media import audio

RATE = 24_000


def voice(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """Noise in syllables, with a crest factor like speech."""
    n = round(seconds * RATE)
    envelope = np.clip(np.sin(np.arange(n) / RATE * 2 * np.pi * 4), 0, 1) ** 2
    return (level * envelope * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def test_wav_round_trip(tmp_path: Path) -> None:
    samples = voice(0.7, 0.1)
    audio.write_wav(tmp_path / "a.wav", samples, RATE)
    back, rate = audio.read_wav(tmp_path / "a.wav")
    assert rate == RATE
    assert np.abs(back - samples).max() <= 1 / 32_768
    assert audio.wav_length(tmp_path / "a.wav") == (len(samples), RATE)
    assert np.array_equal(np.concatenate(list(audio.read_wav_blocks(tmp_path / "a.wav", 1000))), back)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.floats(0.05, 6), level=st.floats(0.001, 0.9), target=st.floats(-30, -14))
def test_loudness_reaches_target_under_the_peak_ceiling(
    tmp_path: Path, seconds: float, level: float, target: float
) -> None:
    reached = audio.write_speech(tmp_path / "a.wav", voice(seconds, level), RATE, target)
    out, _ = audio.read_wav(tmp_path / "a.wav")
    assert len(out) == round(seconds * RATE)
    assert 20 * math.log10(audio.true_peaks(out, RATE).max()) <= audio.PEAK_CEILING_DBTP + 0.1
    assert reached == pytest.approx(audio.loudness(out, RATE), abs=0.05)  # 16 bits round
    if seconds > 1 and level > 0.05:
        assert reached == pytest.approx(target, abs=1.0)


def test_silence_stays_silence(tmp_path: Path) -> None:
    reached = audio.write_speech(tmp_path / "a.wav", np.zeros(RATE, np.float32), RATE)
    assert reached == -math.inf
    assert not audio.read_wav(tmp_path / "a.wav")[0].any()
    assert audio.loudness(np.zeros(0, np.float32), RATE) == -math.inf


@pytest.mark.parametrize("to", [16_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_and_length(to: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    out = audio.resample(tone, RATE, to)
    assert len(out) == to
    assert np.argmax(np.abs(np.fft.rfft(out))) == 1000


def test_true_peak_sees_between_the_samples() -> None:
    tone = np.sin(np.pi / 4 + 2 * np.pi * 6000 * np.arange(RATE) / RATE).astype(
        np.float32
    )  # samples at +-0.707
    assert np.abs(tone).max() < 0.72
    assert np.median(audio.true_peaks(tone, RATE)) == pytest.approx(1.0, abs=0.02)


def test_blocks_leave_no_seam_in_the_peaks() -> None:
    samples = voice(21, 0.2)
    whole = audio.true_peaks(samples, RATE)
    part = audio.true_peaks(samples[RATE * 9 : RATE * 12], RATE)
    assert np.allclose(whole[RATE * 9 + 500 : RATE * 12 - 500], part[500:-500], atol=1e-4)


def test_loudness_of_the_reference_tone() -> None:
    # EBU Tech 3341, case 1: 1 kHz at -23 dBFS in both channels is -23 LUFS; one channel is half of it.
    tone = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(20 * 48_000) / 48_000)
    assert audio.loudness(tone.astype(np.float32), 48_000) == pytest.approx(-23 - 10 * math.log10(2), abs=0.1)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_loudness_as_another_library_measures_it(rate: int) -> None:
    samples = voice(12, 0.2)
    samples[5 * RATE : 8 * RATE] *= 0.001  # below both gates
    assert audio.loudness(samples, rate) == pytest.approx(
        pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.15
    )


def test_limiting_leaves_no_seam_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = voice(5, 0.4)
    whole = np.concatenate(list(audio.limited(samples, RATE, gain_db=6.0)))
    assert np.abs(whole - 10 ** (6 / 20) * samples).max() > 0.1  # there was something to limit
    monkeypatch.setattr(audio, "_BLOCK_S", 0.3)
    assert np.allclose(np.concatenate(list(audio.limited(samples, RATE, gain_db=6.0))), whole, atol=1e-5)
