"""A print of a sound that outlives codecs, noise, level, cutting and, looked up at several speeds, those too.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): a word of 32 bits every
12 ms, each the sign of a difference between neighbouring bands (33 from 300 to 2000 Hz, windows of 0.375 s)
and neighbouring times. A print that is kept has every fourth word. One that is looked up has all, so that it
falls in step with the kept one wherever it was cut, and beside each word those with one of its least certain
bits the other way, so that some are found whatever a codec did.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.media.audio import Samples

HZ = 8000
STEP = 4  # words from one that is kept to the next
WORD_S = 0.012
LEAST = 25  # kept words, 1.2 s, that must lie beside each other
_WINDOW, _HOP = 3000, round(WORD_S * HZ)
_EDGES = np.round(np.geomspace(300, 2000, 34) * _WINDOW / HZ).astype(int)
_SHAPE = np.hanning(_WINDOW).astype(np.float32)
_BITS = 1 << np.arange(32, dtype=np.uint64)
_FRAMES = 256  # at once
UNSURE = 4  # bits of a word
_TRIES = 5  # alignments that are compared whole

Words = NDArray[np.int32]


def words(samples: Samples) -> Words:
    """All words of mono samples at HZ, int32 [n, 1 + 4]: the word, then its variants; 0 where it is silent.

    Empty for less than 0.4 s.
    """
    if len(samples) < _WINDOW + _HOP:
        return np.zeros((0, 1 + UNSURE), np.int32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    energy = np.concatenate([_bands(frames[at : at + _FRAMES]) for at in range(0, len(frames), _FRAMES)])
    change = np.diff(np.diff(energy, axis=1), axis=0)
    return signs(change)


def signs(values: NDArray[np.float32]) -> Words:
    """Words of the signs of float [n, 32], int32 [n, 1 + UNSURE]: plain, then one bit flipped each."""
    plain = ((values > 0) @ _BITS)[:, None]
    unsure = np.argsort(np.abs(values), axis=1)[:, :UNSURE]
    variants = np.where(plain == 0, plain, plain ^ _BITS[unsure])
    return np.concatenate([plain, variants], axis=1).astype(np.uint32).view(np.int32)


def _bands(frames: Samples) -> NDArray[np.float32]:
    """Energy in each band: [frames, 33]."""
    power = np.abs(np.fft.rfft(frames * _SHAPE, axis=1)) ** 2
    return np.add.reduceat(power[:, : _EDGES[-1]], _EDGES[:-1], axis=1)


def kept(every: Words) -> Words:
    """What is kept of a print: int32 [n]."""
    return every[::STEP, 0]


def distance(every: Words, of_kept: Words) -> float:
    """Share of bits that differ where the two fit best.

    0 for equal sounds, about 0.4 for other speech, 1 where nothing fits.
    """
    places: dict[int, list[int]] = {}
    for place, word in enumerate(of_kept.tolist()):
        if word:
            places.setdefault(word, []).append(place * STEP)
    lags = Counter(
        place - index
        for index, row in enumerate(every.tolist())
        for word in row
        for place in places.get(word, ())
    )
    return min((_at(every[:, 0], of_kept, lag) for lag, _ in lags.most_common(_TRIES)), default=1.0)


def _at(plain: Words, of_kept: Words, lag: int) -> float:
    index = np.arange(len(of_kept)) * STEP - lag
    inside = (index >= 0) & (index < len(plain))
    one, other = plain[index[inside]], of_kept[inside]
    heard = (one != 0) & (other != 0)
    if heard.sum() < LEAST:
        return 1.0
    return float(np.unpackbits((one[heard] ^ other[heard]).view(np.uint8)).mean())
