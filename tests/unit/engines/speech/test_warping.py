"""Of several frames in one a path is found, too, however many words there are."""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.speech.warping import least_path, pooled

WORD, WORDS = 12, 900  # frames of a word and of the rest after it, and how many: as in hurried speech


def test_many_short_words_are_found_in_pooled_frames() -> None:
    rest = np.tile(np.arange(WORD) == WORD - 1, WORDS)
    model = np.random.default_rng(0).standard_normal((len(rest), 8)).astype(np.float32)
    model /= np.linalg.norm(model, axis=1, keepdims=True)
    few = pooled(model, rest, model, rest, cells=len(rest) ** 2 // 40**2)
    path = least_path(few.heard, few.quiet, few.model, few.rest)
    assert path is not None
    said = np.repeat(few.states[path], few.factor)[: len(rest)]
    assert np.abs(said - np.arange(len(rest))).max() < 10 * WORD
