"""One spoken piece: its samples cut to the speech, and where each sound falls in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.speech import visemes

RATE = 24_000  # Hz

_FRAME = 240  # samples per level measurement: 10 ms
_FLOOR = 0.02  # of the loud frames' level (95th percentile): below, a frame is quiet
_MIN_SILENCE_S = 0.05  # a shorter quiet stretch between words is articulation, not a pause
BEFORE_S, AFTER_S = 0.04, 0.06  # kept around the speech, faded to zero


@dataclass(frozen=True)
class Symbol:
    """One symbol given to the model, and the index of the spoken word it belongs to (-1: between words)."""

    char: str
    word: int


@dataclass(frozen=True)
class Sound:
    """One phone in seconds from the clip's first sample."""

    ipa: str
    word: int
    stressed: bool
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Clip:
    """Samples float32 [n] at 24 kHz, silent at both ends, and the sounds in them, in order."""

    samples: NDArray[np.float32]
    sounds: tuple[Sound, ...]


def cut(samples: NDArray[np.float32], symbols: Sequence[Symbol], edges_s: Sequence[float]) -> Clip:
    """Trim a model output to its speech and time its sounds.

    `edges_s`: where each symbol begins, in seconds, and after the last one where it ends; ascending.
    """
    quiet = _quiet(samples)
    loud = np.flatnonzero(~quiet)
    sounds = _sounds(symbols, edges_s)
    if not len(loud) or not sounds:
        return Clip(np.zeros(0, np.float32), ())
    onset_s, offset_s = loud[0] * _FRAME / RATE, (loud[-1] + 1) * _FRAME / RATE
    sounds = _pauses(_within(sounds, onset_s, offset_s), quiet)
    first = max(0, round((onset_s - BEFORE_S) * RATE))
    last = min(len(samples), round((offset_s + AFTER_S) * RATE))
    return Clip(_faded(samples[first:last]), tuple(_moved(sound, -first / RATE) for sound in sounds))


def _quiet(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each frame of 10 ms holds no speech. bool [frames]."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return np.ones(0, np.bool_)
    level = np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1))
    floor = max(_FLOOR * float(np.percentile(level, 95)), 1e-5)
    return np.asarray(level <= floor)


def _sounds(symbols: Sequence[Symbol], edges_s: Sequence[float]) -> list[Sound]:
    """Sounds at the model's own times; marks lengthen the sound before them in the word, or else the next."""
    sounds: list[Sound] = []
    opened_s: float | None = None  # start of marks that wait for their sound
    stressed = adjacent = False
    for symbol, start_s, end_s in zip(symbols, edges_s[:-1], edges_s[1:], strict=True):
        if symbol.char in visemes.MARKS:
            stressed = stressed or symbol.char == visemes.STRESS
            if adjacent:
                sounds[-1] = replace(sounds[-1], end_s=end_s)
            elif opened_s is None:
                opened_s = start_s
        elif symbol.char in visemes.BREAKS:
            adjacent, opened_s = False, None
        else:
            begin_s = start_s if opened_s is None else opened_s
            sounds.append(Sound(visemes.ipa(symbol.char), symbol.word, stressed, begin_s, end_s))
            adjacent, stressed, opened_s = True, False, None
    return sounds


def _within(sounds: list[Sound], onset_s: float, offset_s: float) -> list[Sound]:
    """Hold the sounds inside the audible speech; the first begins with it and the last ends with it."""
    inside = [
        replace(s, start_s=min(max(s.start_s, onset_s), offset_s), end_s=min(max(s.end_s, onset_s), offset_s))
        for s in sounds
    ]
    inside[0] = replace(inside[0], start_s=onset_s)
    inside[-1] = replace(inside[-1], end_s=offset_s)
    return inside


def _pauses(sounds: list[Sound], quiet: NDArray[np.bool_]) -> list[Sound]:
    """Between words, keep a gap where the audio rests; elsewhere the sound before lasts until the next."""
    joined = list(sounds)
    for index in range(len(joined) - 1):
        here, following = joined[index], joined[index + 1]
        if following.start_s <= here.end_s:
            continue
        rest = _rest(quiet, (here.start_s + here.end_s) / 2, following.start_s)
        ends_s, starts_s = rest or (following.start_s, following.start_s)
        joined[index] = replace(here, end_s=ends_s)
        joined[index + 1] = replace(following, start_s=starts_s)
    return joined


def _rest(quiet: NDArray[np.bool_], start_s: float, end_s: float) -> tuple[float, float] | None:
    """Longest quiet stretch between two times, in seconds, if it is long enough to be a pause."""
    per_s = RATE / _FRAME
    first, last = int(np.ceil(start_s * per_s)), int(end_s * per_s)
    edges = np.flatnonzero(np.diff([0, *quiet[first:last].astype(int), 0])).reshape(-1, 2)
    if not len(edges):
        return None
    begin, end = edges[np.argmax(edges[:, 1] - edges[:, 0])] + first
    if (end - begin) / per_s < _MIN_SILENCE_S:
        return None
    return begin / per_s, end / per_s


def _faded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    faded = samples.astype(np.float32, copy=True)
    before, after = (min(round(s * RATE), len(faded) // 2) for s in (BEFORE_S, AFTER_S))
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(before) / max(before, 1))
    faded[:before] *= ramp.astype(np.float32)
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, after + 1) / max(after, 1))
    faded[len(faded) - after :] *= ramp.astype(np.float32)
    return faded


def _moved(sound: Sound, by_s: float) -> Sound:
    return replace(sound, start_s=sound.start_s + by_s, end_s=sound.end_s + by_s)
