"""Speech audio: WAV files, sample rates, loudness. Samples are float32 mono in [-1, 1]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
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
_ABSOLUTE_GATE_LUFS = -70.0  # BS.1770: quieter blocks do not count
_PEAK_MARGIN = 256  # samples; longer than the oversampling filter


def write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write mono 16-bit PCM (what every reader knows); samples outside [-1, 1] are clipped."""
    with soundfile.SoundFile(path, "w", sample_rate, channels=1, subtype="PCM_16", format="WAV") as file:
        for start in range(0, len(samples), sample_rate):
            file.write(np.clip(samples[start : start + sample_rate], -1.0, 1.0))


def read_wav(path: Path) -> tuple[Samples, int]:
    """Read a sound file as mono: (float32 [n], sample rate in Hz). Channels are averaged."""
    samples, rate = soundfile.read(path, dtype="float32")
    return (samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)), int(rate)


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
    """Integrated loudness in LUFS (EBU R128, BS.1770); -inf for silence. Under 0.4 s is repeated to it.

    FFmpeg's ebur128 measures it block by block, so memory does not grow with the length.
    """
    if not len(samples) or not np.any(samples):
        return -math.inf
    least = math.ceil(_MIN_LOUDNESS_S * sample_rate) + 1
    if len(samples) < least:
        samples = np.resize(samples, least)
    measured = _Meter(sample_rate)
    for start in range(0, len(samples), sample_rate):
        measured.add(samples[start : start + sample_rate])
    lufs = measured.integrated()
    return lufs if lufs > _ABSOLUTE_GATE_LUFS else -math.inf


class _Meter:
    """FFmpeg's ebur128 filter, fed with mono float32."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._position = sample_rate, 0
        self._lufs = -math.inf
        self._graph = av.filter.Graph()
        tick = Fraction(1, sample_rate)
        self._graph.link_nodes(
            self._graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono", time_base=tick),
            self._graph.add("ebur128", "metadata=1"),
            self._graph.add("abuffersink"),
        ).configure()

    def add(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None], np.float32), format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._position, Fraction(1, self._rate)
        self._position += len(samples)
        self._graph.push(frame)
        self._pull()

    def integrated(self) -> float:
        self._graph.push(None)
        self._pull()
        return self._lufs

    def _pull(self) -> None:
        while True:
            try:
                measured = self._graph.pull().metadata
            except (av.BlockingIOError, av.EOFError):  # all that was pushed has been measured
                return
            self._lufs = float(measured.get("lavfi.r128.I", self._lufs))


def normalise_loudness(
    samples: Samples, sample_rate: int, target_lufs: float = -16.0
) -> tuple[Samples, float]:
    """Bring speech to `target_lufs` without true peaks above -1 dBTP: (samples, loudness reached in LUFS).

    Gain first, then a look-ahead limiter on the few peaks that would pass the ceiling, then once more for the
    loudness that the limiter cost.
    Silence comes back unchanged with -inf.
    """
    reached = loudness(samples, sample_rate)
    if not math.isfinite(reached):
        return samples, reached
    for _ in range(2):
        gain_db = float(np.clip(target_lufs - reached, -_MAX_GAIN_DB * 2, _MAX_GAIN_DB))
        samples = limit_peaks(samples, sample_rate, gain=10 ** (gain_db / 20))
        reached = loudness(samples, sample_rate)
    return samples, reached


def limit_peaks(
    samples: Samples, sample_rate: int, *, gain: float = 1.0, ceiling_dbtp: float = PEAK_CEILING_DBTP
) -> Samples:
    """Apply `gain`, and hold true peaks at or under the ceiling by a dip of 5 ms around each peak.

    Worked block by block, with margins that make the blocks meet exactly.
    """
    ceiling = 10 ** (ceiling_dbtp / 20)
    window = 2 * int(_LOOKAHEAD_S * sample_rate) + 1
    block, margin = int(_BLOCK_S * sample_rate), _PEAK_MARGIN + 2 * window
    limited = np.empty(len(samples), np.float32)
    for start in range(0, len(samples), block):
        left = max(0, start - margin)
        part = samples[left : start + block + margin] * np.float32(gain)
        peaks = true_peaks(part, sample_rate)
        need = np.where(peaks > ceiling, ceiling * 0.995 / np.maximum(peaks, 1e-9), 1.0)
        # Never above `need`: the minimum spans the mean.
        part *= uniform_filter1d(minimum_filter1d(need, window), window)
        limited[start : start + block] = part[start - left :][:block]
    return limited


def true_peaks(samples: Samples, sample_rate: int) -> Samples:
    """Largest magnitude around each sample, 4x oversampled; float32 [n]."""
    peaks = np.empty(len(samples), np.float32)
    block, margin = int(_BLOCK_S * sample_rate), _PEAK_MARGIN
    for start in range(0, len(samples), block):
        left = max(0, start - margin)
        part = samples[left : start + block + margin]
        fine = np.abs(resample_poly(part, 4, 1)).astype(np.float32)
        here = maximum_filter1d(fine, 9)[::4][start - left :]
        peaks[start : start + block] = here[: min(block, len(samples) - start)]
    return peaks
