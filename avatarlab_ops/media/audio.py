"""Speech audio: WAV files, sample rates, loudness. Samples are float32 mono in [-1, 1]."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
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
    write_wav_blocks(path, _slices(samples, sample_rate), sample_rate)


def write_speech(path: Path, samples: Samples, sample_rate: int, target_lufs: float = -16.0) -> float:
    """Write speech at `target_lufs` without true peaks above -1 dBTP; return the LUFS reached.

    Gain first, then a look-ahead limiter on the few peaks that would pass the ceiling, with the gain raised
    by what the limiter cost. Silence is written unchanged, with -inf. Memory holds one block more than given.
    """
    reached = loudness(samples, sample_rate)
    if not math.isfinite(reached):
        write_wav(path, samples, sample_rate)
        return reached
    gain_db = _within_reason(target_lufs - reached)
    cost_db = target_lufs - _loudness(limited(samples, sample_rate, gain_db=gain_db), sample_rate)
    gain_db = _within_reason(gain_db + _within_reason(cost_db))
    meter = _Meter(sample_rate)
    write_wav_blocks(path, meter.through(limited(samples, sample_rate, gain_db=gain_db)), sample_rate)
    return meter.lufs()


def _within_reason(gain_db: float) -> float:
    return min(max(gain_db, -_MAX_GAIN_DB * 2), _MAX_GAIN_DB)


def _slices(samples: Samples, length: int) -> Iterator[Samples]:
    return (samples[start : start + length] for start in range(0, len(samples), length))


def write_wav_blocks(path: Path, blocks: Iterable[Samples], sample_rate: int) -> None:
    """Like `write_wav`, for samples that come in parts."""
    with soundfile.SoundFile(path, "w", sample_rate, channels=1, subtype="PCM_16", format="WAV") as file:
        for block in blocks:
            file.write(np.clip(block, -1.0, 1.0))


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
    return _loudness(_slices(samples, sample_rate), sample_rate)


def _loudness(blocks: Iterable[Samples], sample_rate: int) -> float:
    meter = _Meter(sample_rate)
    for _ in meter.through(blocks):
        pass
    return meter.lufs()


class _Meter:
    """FFmpeg's ebur128 filter, fed with mono float32."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._position = sample_rate, 0
        self._lufs = -math.inf
        self._heard = False
        self._short: Samples = np.zeros(0, np.float32)  # all of it while it is too short to measure
        self._least = math.ceil(_MIN_LOUDNESS_S * sample_rate) + 1
        self._graph = av.filter.Graph()
        tick = Fraction(1, sample_rate)
        self._graph.link_nodes(
            self._graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono", time_base=tick),
            self._graph.add("ebur128", "metadata=1"),
            self._graph.add("abuffersink"),
        ).configure()

    def through(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Measure what passes."""
        for block in blocks:
            self._heard = self._heard or bool(np.any(block))
            if self._position == 0 and len(self._short) + len(block) < self._least:
                self._short = np.concatenate([self._short, block])
            else:
                self._push(np.concatenate([self._short, block]))
                self._short = self._short[:0]
            yield block

    def lufs(self) -> float:
        """Integrated loudness of all that passed; call it once, at the end."""
        if not self._heard:
            return -math.inf
        if self._position == 0:
            self._push(np.resize(self._short, self._least))
        self._graph.push(None)
        self._pull()
        return self._lufs if self._lufs > _ABSOLUTE_GATE_LUFS else -math.inf

    def _push(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None], np.float32), format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._position, Fraction(1, self._rate)
        self._position += len(samples)
        self._graph.push(frame)
        self._pull()

    def _pull(self) -> None:
        while True:
            try:
                measured = self._graph.pull().metadata
            except (av.BlockingIOError, av.EOFError):  # all that was pushed has been measured
                return
            self._lufs = float(measured.get("lavfi.r128.I", self._lufs))


def limited(samples: Samples, sample_rate: int, *, gain_db: float = 0.0) -> Iterator[Samples]:
    """Apply a gain, and hold true peaks at or under the ceiling by a dip of 5 ms around each peak.

    Yields blocks of 10 s, worked with margins that make them meet exactly.
    """
    ceiling, gain = 10 ** (PEAK_CEILING_DBTP / 20), np.float32(10 ** (gain_db / 20))
    window = 2 * int(_LOOKAHEAD_S * sample_rate) + 1
    block, margin = int(_BLOCK_S * sample_rate), _PEAK_MARGIN + 2 * window
    for start in range(0, len(samples), block):
        left = max(0, start - margin)
        part = samples[left : start + block + margin] * gain
        peaks = true_peaks(part, sample_rate)
        need = np.where(peaks > ceiling, ceiling * 0.995 / np.maximum(peaks, 1e-9), 1.0)
        # Never above `need`: the minimum spans the mean.
        part *= uniform_filter1d(minimum_filter1d(need, window), window)
        yield part[start - left :][:block]


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
