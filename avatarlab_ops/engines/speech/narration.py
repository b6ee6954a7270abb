"""When each word of a recording is said: a transcript that an engine has spoken, laid over the recording.

The engine knows when it made each sound. Both are described by mel-cepstra 10 ms apart, with mean 0 and
variance 1 over the speech of each, so that voice and microphone count little, and the path of least cost
leads from one to the other (dynamic time warping, Sakoe and Chiba 1978). Pauses are the recording's own:
between two words the path may rest wherever the recording is quiet, as long as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.speech.assemble import with_rests
from avatarlab_ops.engines.speech.cepstra import HOP, RATE, cepstra, quiet_frames
from avatarlab_ops.engines.speech.strays import strays
from avatarlab_ops.engines.speech.visemes import visemes
from avatarlab_ops.engines.speech.warping import least_path, pooled
from avatarlab_ops.timeline import Phone, Timeline, Word

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FRAME_S = HOP / RATE
_LEAST_FRAMES = 3  # states of a word: a path that passes at most two cannot pass it
_BAND_S = 1.0  # around the path of the first look
_GLANCE, _LOOK = 10_000_000, 40_000_000  # frames times states: to find the stretch, and the way
_STRETCHES = (0.8, 0.87, 0.94, 1.0, 1.07, 1.15, 1.25)  # of a deep voice beside a high one, and back


@dataclass(frozen=True)
class Aligned:
    """The timeline of a recording, and how unlike the spoken words it sounds.

    `unlike`: for each word of the timeline the mean cosine distance of its sounds, 0 alike, 1 unrelated.
    `strays`: (from, until), in seconds, of sound that follows none of the words.
    """

    timeline: Timeline
    unlike: tuple[float, ...]
    strays: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class _States:
    """What the path goes through: frames of the spoken words, and one rest before, between and after them."""

    frames: Ints  # of the spoken sound
    words: Ints  # -1: a rest


def align(recording: Floats, spoken: Speech, *, narrow: bool = False) -> Aligned | None:
    """Times of a recording (float32 [n] mono at 24 kHz) of what `spoken` says.

    `narrow`: the recording holds nothing above 4 kHz. None where it is too short to hold those words.
    """
    ratio = Fraction(RATE, spoken.sample_rate)
    voice = resample_poly(spoken.samples, ratio.numerator, ratio.denominator)  # the same where it is 1
    told = cepstra(voice, ~quiet_frames(voice), narrow=narrow)
    states = _states(spoken.timeline, len(told))
    model, rest = told[states.frames], states.words < 0
    quiet = quiet_frames(recording)
    heard = min(
        (cepstra(recording, ~quiet, narrow=narrow, stretch=one) for one in _STRETCHES),
        key=lambda frames: _look(frames, quiet, model, rest, _GLANCE)[1],
    )
    around, _ = _look(heard, quiet, model, rest, _LOOK)
    path = least_path(heard, quiet, model, rest, around=around, band=round(_BAND_S / FRAME_S))
    if path is None:
        return None
    costs = 1.0 - np.einsum("tc,tc->t", heard, model[path])
    words = states.words[path]
    spans = [np.flatnonzero(words == word) for word in range(len(spoken.timeline.words))]
    unlike = tuple(round(float(costs[span].mean()), 3) for span in spans)
    timeline = _timeline(spoken.timeline, spans, states.frames[path], len(recording) / RATE)
    found = tuple((first * FRAME_S, end * FRAME_S) for first, end in strays(costs, quiet, path))
    return Aligned(timeline, unlike, found)


def _look(
    heard: Floats, quiet: NDArray[np.bool_], model: Floats, rest: NDArray[np.bool_], cells: int
) -> tuple[Ints, float]:
    """(about which state each frame is, how unlike they are): several frames at once."""
    few = pooled(heard, quiet, model, rest, cells)
    path = least_path(few.heard, few.quiet, few.model, few.rest)
    if path is None:
        return np.linspace(0, len(model) - 1, len(heard)).astype(int), np.inf
    said = ~few.rest[path]
    unlike = 1.0 - np.einsum("tc,tc->t", few.heard, few.model[path])[said].mean()
    return np.repeat(few.states[path], few.factor)[: len(heard)], float(unlike)


def _states(timeline: Timeline, count: int) -> _States:
    frames, words = [0], [-1]
    for index, word in enumerate(timeline.words):
        first, last = round(word.start_s / FRAME_S), round(word.end_s / FRAME_S)
        steps = max(_LEAST_FRAMES, last - first)
        frames += [*np.linspace(first, max(first, last - 1), steps).round().astype(int), last]
        words += [*[index] * steps, -1]
    return _States(np.minimum(frames, count - 1), np.asarray(words))


def _timeline(spoken: Timeline, spans: list[Ints], reached: Ints, duration_s: float) -> Timeline:
    words, phones = list[Word](), list[Phone]()
    groups = _by_word(spoken)
    for word, span, group in zip(spoken.words, spans, groups, strict=True):
        start_s, end_s = float(span[0]) * FRAME_S, min(duration_s, float(span[-1] + 1) * FRAME_S)
        words.append(word.model_copy(update={"start_s": round(start_s, 4), "end_s": round(end_s, 4)}))
        phones += _phones(group, span, reached[span], start_s, end_s)
    filled = with_rests(phones, duration_s)
    return spoken.model_copy(
        update={
            "duration_s": duration_s,
            "sample_rate": RATE,
            "words": tuple(words),
            "phones": filled,
            "visemes": visemes(filled),
        }
    )


def _by_word(spoken: Timeline) -> list[list[Phone]]:
    """The sounds of each word."""
    ends = np.asarray([word.end_s for word in spoken.words])
    groups: list[list[Phone]] = [[] for _ in spoken.words]
    for phone in spoken.phones:
        if phone.ipa:
            middle = (phone.start_s + phone.end_s) / 2
            groups[min(int(np.searchsorted(ends, middle)), len(groups) - 1)].append(phone)
    return groups


def _phones(group: list[Phone], span: Ints, reached: Ints, start_s: float, end_s: float) -> Iterator[Phone]:
    """The sounds of a word where the path met them; between two frames that it met, evenly."""
    if not group:
        return
    met, first = np.unique(reached, return_index=True)
    last = np.append(first[1:], len(reached)) - 1
    middles_s = (span[first] + span[last] + 1) / 2 * FRAME_S

    def when(spoken_s: float) -> float:
        return round(float(np.interp(spoken_s / FRAME_S - 0.5, met, middles_s)), 4)

    edges = [start_s, *(when(phone.start_s) for phone in group[1:])]
    stops = [*(when(phone.end_s) for phone in group[:-1]), end_s]
    for phone, begin_s, stop_s in zip(group, edges, stops, strict=True):
        first_s, last_s = round(max(begin_s, start_s), 4), round(min(stop_s, end_s), 4)
        if last_s > first_s:
            yield phone.model_copy(update={"start_s": first_s, "end_s": last_s})
