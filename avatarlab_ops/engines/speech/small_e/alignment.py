"""When each word is said, read off the attention: the likeliest walk through the text that never turns back.

Attention wanders and flickers; speech does not. So the steps are shared out among the words in order, each
word at least one step, such that the attention each step pays to its word is greatest in all (Viterbi).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]  # first step, and the step after the last
_FAINT = 1e-4  # attention below this counts as this: no single step vetoes a walk


def align(attention: NDArray[np.float32], words: Sequence[int]) -> dict[int, Span]:
    """Steps in which each word is said, ascending and without overlap.

    attention: [n, J] of n steps over J text tokens; words: for each token the index of its word, -1 between
    words, ascending. What lies between words may take steps or none. Fewer steps than words: shared out
    evenly, and then a word may have none.
    """
    states, columns = _states(words)
    named = [word for word in states if word >= 0]
    steps = len(attention)
    if not named:
        return {}
    if steps < len(named):
        edges = np.linspace(0, steps, len(named) + 1).round().astype(int).tolist()
        return {word: (edges[i], edges[i + 1]) for i, word in enumerate(named)}
    scores = np.stack([attention[:, own].sum(1) for own in columns], 1)
    walk = _walk(np.log(np.maximum(scores, _FAINT)), np.array([word < 0 for word in states]))
    first = np.searchsorted(walk, np.arange(len(states)), side="left")
    after = np.searchsorted(walk, np.arange(len(states)), side="right")
    return {word: (int(first[i]), int(after[i])) for i, word in enumerate(states) if word >= 0}


def _states(words: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """Runs of tokens of one word, or between two, and the tokens of each."""
    states: list[int] = []
    columns: list[list[int]] = []
    for token, word in enumerate(words):
        if states and states[-1] == word:
            columns[-1].append(token)
        else:
            states.append(word)
            columns.append([token])
    return states, columns


def _walk(scores: NDArray[np.float64], optional: NDArray[np.bool_]) -> NDArray[np.int64]:
    """State of each step, ascending, of the walk with the greatest sum of scores [n, S].

    A step stays, goes on, or goes on past one state that is optional. No two optional states touch.
    """
    steps, count = scores.shape
    skip = np.where(np.append(True, optional[:-1]), 0.0, -np.inf)  # past the state before
    skip[:2] = -np.inf
    best = np.full(count, -np.inf)
    best[: 1 + int(optional[0])] = scores[0, : 1 + int(optional[0])]
    moves = np.zeros((steps, count), np.int8)
    for step in range(1, steps):
        one = np.append(-np.inf, best[:-1])
        two = np.append([-np.inf, -np.inf], best[:-2])[:count] + skip
        options = np.stack([best, one, two])
        moves[step] = options.argmax(0)
        best = options.max(0) + scores[step]
    last = count - 1
    state = last - 1 if optional[last] and count > 1 and best[last - 1] > best[last] else last
    walk = np.empty(steps, np.int64)
    for step in range(steps - 1, -1, -1):
        walk[step] = state
        state -= int(moves[step, state])
    return walk
