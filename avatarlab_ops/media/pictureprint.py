"""A print of moving pictures that outlives codecs, size, a narrow crop, mirroring, noise and cutting.

How the brightness of the moving parts changes (for a talking head: its lips) is two curves over time, 25
values a second at any frame rate: the mean change, and its size. Where something moves is learnt from the
video itself, so nothing depends on where it is shown. A word of 32 bits for each moment is the signs of the
slowest waves in the two seconds from it; words are kept and looked up as those of a sound
(`media.soundprint`) are. The curves are kept, too, and decide; so is the look: the mean picture. Equal
words said with the same timing move other lips alike, and only the look tells one face or background from
another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.clip import luma_of
from avatarlab_ops.media.container import open_input, video_stream
from avatarlab_ops.media.sniff import sniff
from avatarlab_ops.media.soundprint import STEP, UNSURE, Words, signs

HZ = 25
LONGEST_S = 1200.0  # of a video; what follows is not looked at
LONGEST_BYTES = 2 * int(HZ * (LONGEST_S - 2))  # of its curves as they are kept, and no more
_WINDOW = 48  # values of a curve behind a word
_WAVES = 16  # of each curve in a word, from the slowest
LEAST = 40  # values, 1.6 s, that two curves must have beside each other
_SIDE = 16  # blocks across and down
LOOK = 24
LOOK_BYTES = LOOK * LOOK
_SMALL = 48  # a multiple of both
_CUT = 24.0  # levels: what changes more is a cut, not a movement
_STILL = 0.2  # levels of mean change, where something changes: a codec alone makes less
_SHOWN = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85)  # share of a picture that may be left of it

_BASIS = np.cos(np.pi / _WINDOW * np.outer(np.arange(_WINDOW) + 0.5, np.arange(1, 1 + _WAVES)))  # DCT-II

Curves = NDArray[np.float32]  # [2, n]


@dataclass(frozen=True)
class Seen:
    """What was seen of a video: how it moves, and uint8 [24, 24], what it looks like on the whole."""

    curves: Curves
    look: NDArray[np.uint8]

    def at_speed(self, speed: float) -> Seen:
        """The video's print as if it had run at this multiple of its speed."""
        count = self.curves.shape[1]
        at = np.arange(0, count - 1, speed)
        again = [np.interp(at, np.arange(count), curve) for curve in self.curves]
        return Seen(np.array(again, np.float32), self.look)


def watch(path: Path, *, most_s: float = LONGEST_S, cpu_s: float = float("inf")) -> Seen:
    """Look at the first seconds of a video, at most `most_s` of it or for `cpu_s` of processor time.

    Memory: 1 kB for each picture. Raises MediaRefused for a file without a moving picture.
    """
    times: list[float] = []
    blocks: list[NDArray[np.float32]] = []
    look, until = np.zeros((LOOK, LOOK), np.float64), time.process_time() + cpu_s
    for at, luma in _pictures(path):
        if at > most_s or time.process_time() > until:
            break
        if times and at <= times[-1]:
            continue
        times.append(at)
        small = cv2.resize(luma, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
        blocks.append(_averaged(small, _SIDE))
        look += _averaged(small, LOOK)
    if len(times) < 2:
        raise MediaRefused(f"{path.name} shows no moving picture")
    return Seen(_curves(np.array(times), np.stack(blocks)), np.round(look / len(times)).astype(np.uint8))


def _of_bytes(frame: av.VideoFrame) -> av.VideoFrame:
    """The picture with a luma plane of 8 bits."""
    format_ = frame.format
    plain = format_.name.startswith("yuv") and format_.components[0].bits == 8
    return frame if plain else frame.reformat(format="gray")


def _averaged(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    each = _SMALL // side
    return np.asarray(picture.reshape(side, each, side, each).mean(axis=(1, 3)), np.float32)


def _pictures(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds from the first picture and luma of each as stored."""
    with open_input(path, sniff(path)) as container:
        stream = video_stream(container, path.name)
        if stream is None:
            raise MediaRefused(f"{path.name} shows no picture")
        try:
            first_s = None
            for frame in container.decode(stream):
                if frame.time is None:
                    continue
                first_s = frame.time if first_s is None else first_s
                yield float(frame.time - first_s), luma_of(_of_bytes(frame))
        except (av.FFmpegError, ValueError) as error:
            raise MediaRefused(f"{path.name} is damaged ({error}). Export or upload it again.") from error


def _curves(times: NDArray[np.float64], blocks: NDArray[np.float32]) -> Curves:
    """Float32 [2, n], at HZ: mean change of brightness where it changes, and the size of the change."""
    at = np.arange(times[0], times[-1] + 1e-6, 1 / HZ)
    place = np.interp(at, times, np.arange(len(times)))
    below = place.astype(int)
    above, share = np.minimum(below + 1, len(times) - 1), (place - below).astype(np.float32)[:, None, None]
    change = np.diff(blocks[below] * (1 - share) + blocks[above] * share, axis=0)
    np.clip(change, -_CUT, _CUT, out=change)
    power = change**2
    where = power.mean(axis=0)
    where = where / max(float(where.sum()), 1e-12)
    return np.stack([(change * where).sum((1, 2)), np.sqrt((power * where).sum((1, 2)))]).astype(np.float32)


def words(seen: Seen) -> Words:
    """All words, int32 [n, 1 + UNSURE]: the word, then its variants; 0 where nothing moves.

    Empty for less than two seconds.
    """
    if seen.curves.shape[1] < _WINDOW:
        return np.zeros((0, 1 + UNSURE), np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(seen.curves, _WINDOW, axis=1)
    waves = windows @ _BASIS
    waves = waves / np.maximum(np.abs(waves).mean(axis=2, keepdims=True), 1e-9)
    found = signs(np.concatenate([waves[0], waves[1]], axis=1))
    found[windows[1].mean(axis=1) < _STILL] = 0
    return found


def kept(every: Words) -> Words:
    """What is kept of the words: int32 [n]."""
    return every[::STEP, 0]


def packed(curves: Curves) -> bytes:
    """Curves as they are kept: int8, a sixteenth of their deviation each, one curve after the other."""
    return np.round(np.clip(_even(curves) * 16, -127, 127)).astype(np.int8).tobytes()


def unpacked(given: bytes) -> Curves:
    """Curves that were kept."""
    return np.frombuffer(given, np.int8).reshape(2, -1).astype(np.float32)


def _even(curves: Curves) -> Curves:
    centred = curves - curves.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6), np.float32)


def moves_alike(one: Curves, other: Curves) -> float:
    """How alike two videos move where they fit best, from -1 to 1."""
    one, other = _even(one), _even(other)
    count, most = one.shape[1], other.shape[1]
    lags = np.arange(1, count + most)
    beside = np.minimum(np.minimum(lags, lags[::-1]), min(count, most))
    if min(count, most) < LEAST:
        return -1.0
    alike = [_correlated(a, b) for a, b in zip(one, other, strict=True)]
    return float(np.where(beside >= LEAST, np.mean(alike, axis=0), -1.0).max())


def _correlated(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlation of what lies beside each other, at every lag."""
    ones = np.ones(len(one)), np.ones(len(other))
    power = _slid(one**2, ones[1]) * _slid(ones[0], other**2)
    return np.asarray(_slid(one, other) / np.sqrt(np.maximum(power, 1.0)), np.float32)


def _slid(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Sum of products at every lag, by Fourier transforms: long curves take milliseconds."""
    count = len(one) + len(other) - 1
    return np.fft.irfft(np.fft.rfft(one, count) * np.fft.rfft(other[::-1], count), count)


def looks_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How alike two looks are, from -1 to 1: `one` may be mirrored, and a part of the `other`."""
    best = -1.0
    for given in (one, cv2.flip(one, 1)):
        for share in _SHOWN:
            side = round(LOOK * share)
            part = cv2.resize(given, (side, side), interpolation=cv2.INTER_AREA)
            best = max(
                best, float(cv2.matchTemplate(other, np.asarray(part, np.uint8), cv2.TM_CCOEFF_NORMED).max())
            )
    return best
