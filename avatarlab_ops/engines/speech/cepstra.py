"""Speech as numbers that two voices share: mel-cepstra with their slopes, 10 ms apart."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, rfft
from scipy.ndimage import binary_opening, correlate1d

Floats = NDArray[np.float32]

RATE = 24_000  # Hz
HOP = 240
_WINDOW = 600
_BANDS, _CEPSTRA = 40, 16
_WIDE_HZ, _NARROW_HZ = 8_000.0, 3_800.0
_CHUNK = 4_096  # frames: 10 MB at a time
_QUIET_DB = 34.0  # below the loud frames: no speech
_NOISE_DB, _LEAST_DB = 6.0, 12.0  # above the noise floor, and at least so much below the loud frames
_NARROW_DB = 45.0  # speech has less than this between the bands below and above 4 kHz


def cepstra(samples: Floats, speech: NDArray[np.bool_], *, narrow: bool, stretch: float = 1.0) -> Floats:
    """float32 [frames, 32] of length 1: 16 cepstra and their slopes, normalised over the frames of speech.

    `narrow`: of what lies below 3.8 kHz only. `stretch`: every frequency is first multiplied by it, as a
    longer throat is made as long as another (vocal tract length normalisation).
    """
    shape = static(samples, _NARROW_HZ if narrow else _WIDE_HZ, stretch)
    slope = correlate1d(shape, [-0.2, -0.1, 0.0, 0.1, 0.2], axis=0, mode="nearest")
    both = np.concatenate([shape, slope], axis=1)
    known = both[speech] if speech.any() else both
    both = (both - known.mean(axis=0)) / (known.std(axis=0) + 1e-6)
    return np.asarray(both / (np.linalg.norm(both, axis=1, keepdims=True) + 1e-6), np.float32)


def static(samples: Floats, top_hz: float = _WIDE_HZ, stretch: float = 1.0) -> Floats:
    """float32 [frames, 16]: the mel-cepstra below `top_hz` as they are."""
    bank = _bank(top_hz, stretch)
    mel = np.concatenate([np.log(power @ bank + 1e-8) for power in _spectra(samples)])
    return np.asarray(dct(mel, norm="ortho", axis=1)[:, :_CEPSTRA], np.float32)


def quiet_frames(samples: Floats) -> NDArray[np.bool_]:
    """Whether each frame holds no speech: far below the loud ones, or near the noise floor. bool [frames]."""
    level = 10 * np.log10(np.concatenate([power.mean(axis=1) for power in _spectra(samples)]) + 1e-12)
    floor = np.percentile(level, 5)
    above = level[level > floor + _NOISE_DB]  # however long the silence beside it
    loud = np.percentile(above if len(above) else level, 95)
    limit = max(loud - _QUIET_DB, min(floor + _NOISE_DB, loud - _LEAST_DB))
    return np.asarray(binary_opening(level <= limit, np.ones(3)))


def is_narrow(samples: Floats) -> bool:
    """Whether it holds nothing above 4 kHz, as from a telephone, whatever sample rate its file has."""
    power = np.stack([part.sum(axis=0) for part in _spectra(samples)]).sum(axis=0)
    hz = np.arange(len(power)) * RATE / (2 * (len(power) - 1))
    below = power[(hz > 300) & (hz < 3_400)].mean()
    above = power[(hz > 4_500) & (hz < 7_000)].mean()
    return bool(10 * np.log10((below + 1e-12) / (above + 1e-12)) > _NARROW_DB)


def _spectra(samples: Floats) -> Iterator[Floats]:
    """Power of each frame, centred 10 ms apart: float32 [frames, 513] in chunks."""
    count = max(1, len(samples) // HOP)
    padded = np.pad(samples, ((_WINDOW - HOP) // 2, _WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP][:count]
    window = np.hanning(_WINDOW).astype(np.float32)
    for start in range(0, count, _CHUNK):
        yield np.abs(rfft(frames[start : start + _CHUNK] * window, 1024, axis=1)) ** 2


@functools.cache
def _bank(top_hz: float, stretch: float) -> Floats:
    """Triangles even on the mel scale, float32 [513, bands]."""
    top = 2595 * np.log10(1 + top_hz / 700)
    edges = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 80 / 700), top, _BANDS + 2) / 2595) - 1)
    hz = np.arange(513) * RATE / 1024 * stretch
    rising = (hz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hz[:, None]) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float32)
