"""Attention to word times: ordered, complete, and where the attention says."""

# ruff: noqa: RUF001  (IPA)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.engines.speech.small_e.alignment import align
from avatarlab_ops.engines.speech.small_e.timing import clip
from avatarlab_ops.engines.speech.spoken import SpokenWord

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def tokens_of(lengths: list[int]) -> list[int]:
    """Words of so many tokens each, one token between two, begin and end."""
    words = [-1]
    for index, length in enumerate(lengths):
        words += [index] * length + [-1]
    return words


@given(LENGTHS, st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_every_word_gets_its_steps_in_order(lengths: list[int], steps: int, seed: int) -> None:
    words = tokens_of(lengths)
    attention = np.random.default_rng(seed).dirichlet(np.full(len(words), 0.1), steps).astype(np.float32)
    spans = align(attention, words)
    assert list(spans) == list(range(len(lengths)))
    now = 0
    for start, end in spans.values():
        assert now <= start <= end <= steps
        assert end > start or steps < len(lengths)
        now = end


@given(LENGTHS, st.data())
def test_a_clear_walk_is_found_in_spite_of_stray_looks(lengths: list[int], data: st.DataObject) -> None:
    words = tokens_of(lengths)
    stays = data.draw(st.lists(st.integers(2, 6), min_size=len(words), max_size=len(words)))
    walk = np.repeat(np.arange(len(words)), stays)
    attention = np.full((len(walk), len(words)), 0.2 / len(words), np.float32)
    attention[np.arange(len(walk)), walk] += 0.8
    edges = np.append(0, np.cumsum(stays))
    for word, (start, end) in align(attention, words).items():
        own = [token for token, owner in enumerate(words) if owner == word]
        assert (start, end) == (edges[own[0]], edges[own[-1] + 1])


def test_nothing_to_align() -> None:
    assert align(np.ones((3, 2), np.float32), [-1, -1]) == {}


def test_sounds_share_the_time_of_their_word() -> None:
    words = [SpokenWord("“", ""), SpokenWord("me", "mˈi"), SpokenWord("too", "tˈu")]
    noise = 0.1 * np.random.default_rng(0).standard_normal(24_000).astype(np.float32)
    sounds = clip(noise, words, {1: (0, 30), 2: (30, 75)}, range(3)).sounds
    assert [(sound.ipa, sound.word) for sound in sounds] == [("m", 1), ("i", 1), ("t", 2), ("u", 2)]
    assert sounds[1].end_s == sounds[2].start_s == pytest.approx(0.4)
    assert sounds[1].end_s - sounds[1].start_s > sounds[0].end_s - sounds[0].start_s, "vowels last longer"
    assert sounds[-1].end_s == pytest.approx(1.0, abs=0.01)
