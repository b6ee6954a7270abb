"""Whether a recording holds two people's voices: passages between pauses, grouped by how they sound.

Each passage is a Gaussian of its mel-cepstra; the two groups that are least alike are merged last, and are
two voices where the Bayesian information criterion says that two Gaussians explain them better than one (Chen
and Gopalakrishnan 1998). A person who shouts is told as another voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.speech.cepstra import HOP, RATE, quiet_frames, static

Floats = NDArray[np.float64]

_PAUSE = 25  # quiet frames, 10 ms each, between two passages
_LEAST = 100  # frames of speech in a passage: in less there is more of its words than of its voice
_MOST = 400  # passages that are looked at, the longest
_VOICE_S = 2.0  # of speech, to be called a voice
_APART = 0.2  # criterion a frame; of ten synthetic voices at most 0.05 alone, at least 0.28 in pairs
_DIMENSIONS = 12


@dataclass
class _Group:
    """Frames of a voice: how many, their sum, their products, and the passages they are of."""

    count: float
    total: Floats
    products: Floats
    passages: list[int]

    def __add__(self, other: _Group) -> _Group:
        return _Group(
            self.count + other.count, self.total + other.total, self.products + other.products,
            self.passages + other.passages,
        )  # fmt: skip

    @cached_property
    def spread(self) -> float:
        """Frames times the log of the determinant of their covariance."""
        mean = self.total / self.count
        covariance = self.products / self.count - np.outer(mean, mean)
        return float(self.count * np.linalg.slogdet(covariance + 1e-3 * np.eye(_DIMENSIONS))[1])


def second_voice(samples: NDArray[np.float32]) -> float | None:
    """The second at which a second voice is heard first, None where there is one voice only.

    Of float32 [n] mono at 24 kHz.
    """
    quiet = quiet_frames(samples)
    spans = sorted(_passages(quiet), key=lambda span: span[0] - span[1])[:_MOST]
    sounds = static(samples)[:, 1 : _DIMENSIONS + 1].astype(np.float64)
    groups = [_group(sounds[first:end][~quiet[first:end]], n) for n, (first, end) in enumerate(spans)]
    groups = _two(groups)
    if len(groups) < 2 or _apart(*groups) < _APART:
        return None
    if min(group.count for group in groups) * HOP / RATE < _VOICE_S:
        return None
    return max(min(spans[n][0] for n in group.passages) for group in groups) * HOP / RATE


def _passages(quiet: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first frame, the one after the last) of each stretch of speech without a pause."""
    loud = np.flatnonzero(~quiet)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > _PAUSE)
    firsts, lasts = np.append(loud[0], loud[breaks + 1]), np.append(loud[breaks], loud[-1])
    spans = zip(firsts.tolist(), (lasts + 1).tolist(), strict=True)
    return [span for span in spans if np.count_nonzero(~quiet[slice(*span)]) >= _LEAST]


def _group(frames: Floats, passage: int) -> _Group:
    return _Group(len(frames), frames.sum(axis=0), frames.T @ frames, [passage])


def _two(groups: list[_Group]) -> list[_Group]:
    """The groups, of which the two that are least apart become one until two are left.

    A pair is compared once: 400 passages merged in seconds, not a quarter of an hour.
    """
    groups, left = list(groups), list(range(len(groups)))
    apart = np.full((len(groups), len(groups)), np.inf)
    for i, j in combinations(left, 2):
        apart[i, j] = _apart(groups[i], groups[j])
    while len(left) > 2:
        one, other = divmod(int(apart.argmin()), len(groups))
        groups[one] += groups[other]
        left.remove(other)
        apart[other, :] = apart[:, other] = np.inf
        for i, j in ((min(n, one), max(n, one)) for n in left if n != one):
            apart[i, j] = _apart(groups[i], groups[j])
    return [groups[n] for n in left]


def _apart(one: _Group, other: _Group) -> float:
    """The criterion a frame: above 0 two Gaussians are worth their parameters."""
    both = one + other
    parameters = _DIMENSIONS + _DIMENSIONS * (_DIMENSIONS + 1) / 2
    gain = 0.5 * (both.spread - one.spread - other.spread) - 0.5 * parameters * np.log(both.count)
    return float(gain / both.count)
