"""Speech audio: WAV files, sample rates, loudness. Samples are float32 mono in [-1, 1]."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import resample_poly

Samples = NDArray[np.float32]

PEAK_CEILING_DBTP = -1.0  # EBU R128: maximum true peak
_MIN_LOUDNESS_S = 0.4  # one gating block of ITU-R BS.1770
_BLOCK_S = 10.0
_LOOKAHEAD_S = 0.005
_MAX_GAIN_DB = 30.0  # beyond, there is nothing but noise to raise


def write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write mono 16-bit PCM (what every reader knows); samples outside [-1, 1] are clipped."""
    soundfile.write(path, np.clip(samples, -1.0, 1.0), sample_rate, subtype="PCM_16", format="WAV")


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read a sound file as mono: (float32 [n], sample rate in Hz). Channels are averaged."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples.mean(axis=1), np.float32), int(rate)


def wav_length(path: Path) -> tuple[int, int]:
    """Return (samples, sample rate in Hz) from the header alone."""
    info = soundfile.info(path)
    return int(info.frames), int(info.samplerate)


def read_wav_blocks(path: Path, block: int = 16_384) -> Iterator[Samples]:
    """Stream a sound file as mono float32 blocks of at most `block` samples."""
    for part in soundfile.blocks(path, blocksize=block, dtype="float32", always_2d=True):
        yield np.ascontiguousarray(part.mean(axis=1), np.float32)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the sample rate by a polyphase filter; length becomes ceil(n * to / from)."""
    if from_hz == to_hz or not len(samples):
        return samples
    ratio = Fraction(to_hz, from_hz)
    return np.asarray(resample_poly(samples, ratio.numerator, ratio.denominator), np.float32)


def loudness(samples: Samples, sample_rate: int) -> float:
    """Integrated loudness in LUFS (EBU R128, BS.1770); -inf for silence. Under 0.4 s is repeated to it."""
    if not len(samples) or not np.any(samples):
        return -math.inf
    least = math.ceil(_MIN_LOUDNESS_S * sample_rate) + 1
    if len(samples) < least:
        samples = np.resize(samples, least)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # log of a silent block is -inf, as it should be
        return float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples))


def normalise_loudness(
    samples: Samples, sample_rate: int, target_lufs: float = -16.0
) -> tuple[Samples, float]:
    """Bring speech to `target_lufs` without true peaks above -1 dBTP: (samples, loudness reached in LUFS).

    Gain first, then a look-ahead limiter on the few peaks that would pass the ceiling, then once more for the
    loudness that the limiter cost.
    Silence comes back unchanged with -inf.
    """
    before = loudness(samples, sample_rate)
    if not math.isfinite(before):
        return samples, before
    out = samples
    for _ in range(2):
        gain_db = float(np.clip(target_lufs - loudness(out, sample_rate), -_MAX_GAIN_DB * 2, _MAX_GAIN_DB))
        out = limit_peaks(out * np.float32(10 ** (gain_db / 20)), sample_rate)
    return out, loudness(out, sample_rate)


def limit_peaks(samples: Samples, sample_rate: int, ceiling_dbtp: float = PEAK_CEILING_DBTP) -> Samples:
    """Hold true peaks at or under the ceiling by a gain that dips smoothly 5 ms around each peak."""
    ceiling = 10 ** (ceiling_dbtp / 20)
    peaks = true_peaks(samples, sample_rate)
    if peaks.max(initial=0.0) <= ceiling:
        return samples
    need = np.minimum(1.0, ceiling * 0.995 / np.maximum(peaks, 1e-9))
    window = 2 * int(_LOOKAHEAD_S * sample_rate) + 1
    gain = uniform_filter1d(
        minimum_filter1d(need, window), window
    )  # never above `need`: the minimum spans the mean
    return np.asarray(samples * gain, np.float32)


def true_peaks(samples: Samples, sample_rate: int) -> Samples:
    """Largest magnitude around each sample, 4x oversampled; float32 [n]."""
    peaks = np.empty(len(samples), np.float32)
    block, margin = int(_BLOCK_S * sample_rate), 256
    for start in range(0, len(samples), block):
        left = max(0, start - margin)
        part = samples[left : start + block + margin]
        fine = np.abs(resample_poly(part, 4, 1)).astype(np.float32)
        here = maximum_filter1d(fine, 9)[::4][start - left :]
        peaks[start : start + block] = here[: min(block, len(samples) - start)]
    return peaks
