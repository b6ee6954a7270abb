"""Perth, the speech watermark of Resemble AI (package resemble-perth 1.0.1, MIT), with NumPy alone.

A network adds a residual to the log magnitudes below 2 kHz of a spectrogram, another one hears it. The mark
says "synthetic" and nothing else; every system that uses Perth's published weights sets the same one.

Perth works at 32 kHz with windows of 64 ms every 10 ms. What lies above 2 kHz is neither read nor changed, so
8 kHz with the same windows give the same numbers, and only the residual is brought back to the speech's rate.
The published file is a zip whose entries are the plain numbers of each tensor; the pickle in it is not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines import weights

HZ = 8000
SURE = 0.55  # from here on the mark is there; of 16 unmarked clips one reached 0.64, sped up, the others 0.44
FILE = "perth_net_250000.pth.tar"
Array = NDArray[np.float32]
_FFT, _HOP, _BANDS = 512, 80, 128  # 64 ms, 10 ms, 2 kHz
_AS_AT_32_KHZ = 4.0  # a spectrum's magnitudes grow with the samples in its window
_FLOOR_DB, _RANGE_DB = -180.0, 195.0
_STRENGTH = np.float32(0.6)  # of the published residual: DNSMOS fell by 0.15 at 1, 0.07 at 0.7, 0.04 at 0.5
_SOUND = 0.05  # mean level of a frame that is more than digital silence
_SLOPE = np.float32(0.01)  # of the leaky ReLU
_WIDTH = 256
_SHAPES = ((_WIDTH, _BANDS, 1), *[(_WIDTH, _WIDTH, 7)] * 5)  # of the hidden layers; one more is the output
_ENCODER, _SLOW, _NORMAL, _FAST = 0, 14, 28, 42  # number of the first entry of each network
_WINDOW = np.hanning(_FFT + 1)[:-1].astype(np.float32)
_BLOCK_S, _MARGIN_S = 20, 1  # whole seconds, so that the frames of all blocks lie on one grid
_LISTEN_S, _LEAST_S = 10, 2


class _Layer(NamedTuple):
    weight: Array  # [taps, inputs, outputs]
    bias: Array


class Perth:
    """WatermarkEngine; reads its weights when it is made."""

    def __init__(self) -> None:
        with zipfile.ZipFile(weights.path(FILE)) as file:
            self._encoder = _network(file, _ENCODER, _BANDS)
            self._decoders = [
                (stretch, _network(file, first, 2))
                for stretch, first in ((1.25, _SLOW), (1.0, _NORMAL), (0.75, _FAST))
            ]

    def marked(self, blocks: Iterable[Array], sample_rate: int) -> Iterator[Array]:
        """Speech with the mark, as long as what was given; holds some 20 s of it."""
        for left, body, right in _windows(blocks, _BLOCK_S * sample_rate, _MARGIN_S * sample_rate):
            added = self._residual(np.concatenate([left, body, right]), sample_rate)
            yield body + added[len(left) :][: len(body)]

    def confidence(self, samples: Array) -> list[float]:
        """How sure it is, from 0 to 1, that the mark is in each 10 s of samples at HZ.

        Parts with less than two seconds of sound are left out.
        """
        parts = (samples[at : at + _LISTEN_S * HZ] for at in range(0, len(samples), _LISTEN_S * HZ))
        heard = (self._heard(part) for part in parts if len(part) >= _LEAST_S * HZ)
        return [one for one in heard if one is not None]

    def _residual(self, samples: Array, sample_rate: int) -> Array:
        spectrum = _spectrum(_resampled(samples, sample_rate, HZ))
        levels, sounds = _levels(spectrum)
        louder = _through(self._encoder, levels) * (sounds[:, None] * _STRENGTH)
        shown = spectrum[:, :_BANDS]
        shown *= 10 ** (louder * np.float32(_RANGE_DB / 20)) - 1
        spectrum[:, _BANDS:] = 0
        added = _resampled(_sound(spectrum), HZ, sample_rate)
        return np.pad(added, (0, max(0, len(samples) - len(added))))

    def _heard(self, samples: Array) -> float | None:
        levels, sounds = _levels(_spectrum(samples))
        if sounds.sum() * _HOP < _LEAST_S * HZ:
            return None
        found = [_mean(network, levels, sounds, stretch) for stretch, network in self._decoders]
        trust, marked = np.array(found).T
        share = np.exp(trust - trust.max())
        return float(np.clip((share * marked).sum() / share.sum(), 0, 1))


def _network(file: zipfile.ZipFile, first: int, outputs: int) -> list[_Layer]:
    """Seven layers whose weights and biases are numbered from `first` on, in turn."""
    layers = []
    for number, shape in enumerate((*_SHAPES, (outputs, _WIDTH, 1))):
        weight = _numbers(file, first + 2 * number).reshape(shape)
        bias = _numbers(file, first + 2 * number + 1)
        layers.append(_Layer(np.ascontiguousarray(weight.transpose(2, 1, 0)), bias))
    return layers


def _numbers(file: zipfile.ZipFile, entry: int) -> Array:
    return np.frombuffer(file.read(f"archive/data/{entry}"), "<f4")


def _through(network: Sequence[_Layer], levels: Array) -> Array:
    """[frames, 128] to [frames, outputs]; leaky ReLU between the layers."""
    for layer in network[:-1]:
        levels = _layer(layer, levels)
        levels = np.maximum(levels, levels * _SLOPE)
    return _layer(network[-1], levels)


def _layer(layer: _Layer, values: Array) -> Array:
    """A convolution over frames, zeros beyond the ends."""
    beside = len(layer.weight) // 2
    padded, out = np.pad(values, ((beside, beside), (0, 0))), np.tile(layer.bias, (len(values), 1))
    for tap, weight in enumerate(layer.weight):
        out += padded[tap : tap + len(values)] @ weight
    return out


def _mean(network: Sequence[_Layer], levels: Array, sounds: NDArray[np.bool_], stretch: float) -> Array:
    """What a decoder says over all frames with sound, at another tempo: (trust in it, marked)."""
    frames = int(len(levels) * stretch)
    said = _through(network, _stretched(levels, frames))
    nearest = (np.arange(frames) * len(levels)) // frames
    return np.asarray(said[sounds[nearest]].mean(axis=0), np.float32)


def _stretched(levels: Array, frames: int) -> Array:
    """Linear between frames, first and last kept."""
    at = np.linspace(0, len(levels) - 1, frames)
    low = np.minimum(at.astype(int), len(levels) - 2)
    share = (at - low).astype(np.float32)[:, None]
    return np.asarray(levels[low] * (1 - share) + levels[low + 1] * share, np.float32)


def _spectrum(samples: Array) -> NDArray[np.complex64]:
    """[1 + n / 80, 257]: a window around every 80th sample."""
    padded = np.pad(samples, _FFT // 2, mode="reflect" if len(samples) > _FFT // 2 else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    return np.asarray(np.fft.rfft(frames * _WINDOW, axis=1), np.complex64)


def _sound(spectrum: NDArray[np.complex64]) -> Array:
    """Inverse of `_spectrum`, by weighted overlap and add."""
    frames = np.fft.irfft(spectrum, _FFT, axis=1).astype(np.float32) * _WINDOW
    length = (len(frames) - 1) * _HOP + _FFT
    summed, weight = np.zeros((2, length), np.float32)
    for number, frame in enumerate(frames):
        place = slice(number * _HOP, number * _HOP + _FFT)
        summed[place] += frame
        weight[place] += _WINDOW**2
    inner = slice(_FFT // 2, length - _FFT // 2)
    return np.asarray(summed[inner] / np.maximum(weight[inner], 1e-6), np.float32)


def _levels(spectrum: NDArray[np.complex64]) -> tuple[Array, NDArray[np.bool_]]:
    """Levels below 2 kHz as Perth scales them [frames, 128], and which frames hold sound."""
    heard = np.maximum(np.abs(spectrum) * np.float32(_AS_AT_32_KHZ), np.float32(1e-9))
    levels = (20 * np.log10(heard) - np.float32(_FLOOR_DB)) / np.float32(_RANGE_DB)
    return levels[:, :_BANDS], levels.mean(axis=1) > _SOUND


def _windows(blocks: Iterable[Array], size: int, margin: int) -> Iterator[tuple[Array, Array, Array]]:
    """All that is given in pieces of `size` samples, with up to `margin` of what lies on either side."""
    left, held = np.zeros(0, np.float32), np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size + margin:
            body, held = held[:size], held[size:]
            yield left, body, held[:margin]
            left = body[-margin:]
    if len(held):
        yield left, held, held[:0]


def _resampled(samples: Array, from_hz: int, to_hz: int) -> Array:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(from_hz, to_hz))
    if from_hz == to_hz:
        return samples
    return np.asarray(resample_poly(samples, to_hz // divisor, from_hz // divisor), np.float32)
