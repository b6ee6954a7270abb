"""The print of a sound: near for the same sound however it was treated, far for another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from avatarlab_ops.media import soundprint


def _sound(seed: int, seconds: float = 6.0) -> np.ndarray:
    """Noise whose colour and level change like speech's, float32 at soundprint.HZ."""
    random, parts = np.random.default_rng(seed), []
    for _ in range(round(seconds * 10)):
        angle, length = random.uniform(0.2, 1.5), soundprint.HZ // 10
        noise = random.normal(0, random.uniform(0.01, 0.2), length)
        parts.append(lfilter([1], [1, -1.8 * np.cos(angle), 0.81], noise))
    return np.concatenate(parts).astype(np.float32)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return soundprint.distance(soundprint.words(one), soundprint.kept(soundprint.words(other)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cut_quieter_noisier_sound_is_near_and_another_far(seed: int) -> None:
    whole, random = _sound(seed), np.random.default_rng(9)
    cut = whole[soundprint.HZ + 37 : 4 * soundprint.HZ + 11] * np.float32(0.3)
    noisy = (cut + random.normal(0, cut.std() / 10, len(cut))).astype(np.float32)
    assert _distance(whole, whole) == 0
    assert _distance(noisy, whole) < 0.15
    assert _distance(_sound(seed + 100), whole) > 0.3


def test_what_is_too_short_or_silent_is_like_nothing() -> None:
    whole = _sound(4)
    for nothing in (whole[:1000], np.zeros(16_000, np.float32), np.zeros(0, np.float32)):
        assert _distance(nothing, whole) == 1
        assert _distance(whole, nothing) == 1
