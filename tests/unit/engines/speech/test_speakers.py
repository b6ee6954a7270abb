"""Grouping passages by voice: the least alike pairs are found without looking at every pair again."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from avatarlab_ops.engines.speech import speakers
from avatarlab_ops.engines.speech.cepstra import RATE

PASSAGES = 16


def test_a_pair_of_passages_is_compared_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    apart = speakers._apart

    def counted(one: speakers._Group, other: speakers._Group) -> float:
        nonlocal compared
        compared += 1
        return apart(one, other)

    monkeypatch.setattr(speakers, "_apart", counted)
    speakers.second_voice(passages(PASSAGES))
    assert PASSAGES * (PASSAGES - 1) / 2 <= compared <= PASSAGES**2


@pytest.mark.parametrize("seed", range(12))
def test_the_same_passages_come_together_as_by_looking_at_all_pairs_each_time(seed: int) -> None:
    groups = drawn(np.random.default_rng(seed), 2 + seed)
    assert [group.passages for group in speakers._two(groups)] == by_all_pairs(groups)


def by_all_pairs(groups: list[speakers._Group]) -> list[list[int]]:
    """The passages of the two groups that are left, every pair compared anew at each merge."""
    left = list(groups)
    while len(left) > 2:
        _, one, other = min(
            (speakers._apart(left[i], left[j]), i, j) for i, j in combinations(range(len(left)), 2)
        )
        left[one] += left.pop(other)
    return [group.passages for group in left]


def drawn(random: np.random.Generator, count: int) -> list[speakers._Group]:
    """Passages of 100 to 300 frames by three voices; the last one is the first again, a tie."""
    voices = random.normal(size=(3, speakers._DIMENSIONS))
    frames = [
        voices[n % 3] + random.normal(size=(int(random.integers(100, 300)), speakers._DIMENSIONS))
        for n in range(count - 1)
    ]
    return [speakers._group(sounds, n) for n, sounds in enumerate([*frames, frames[0]])]


def passages(count: int) -> NDArray[np.float32]:
    """Noise of 1.4 s each, with pauses of 0.6 s between."""
    random = np.random.default_rng(0)
    pause = np.zeros(round(0.6 * RATE))
    parts = [np.append(0.1 * random.standard_normal(round(1.4 * RATE)), pause) for _ in range(count)]
    return np.concatenate(parts).astype(np.float32)
