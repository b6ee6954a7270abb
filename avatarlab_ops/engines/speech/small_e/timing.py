"""From the steps of words to a clip whose sounds have times: what lip-sync and captions read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.speech import visemes
from avatarlab_ops.engines.speech.clip import Clip, Symbol, cut
from avatarlab_ops.engines.speech.small_e.alignment import Span
from avatarlab_ops.engines.speech.small_e.codec import CODES_PER_S
from avatarlab_ops.engines.speech.spoken import SpokenWord

_VOWEL, _CONSONANT, _LONG = 1.6, 1.0, 0.6  # shares of a word's time; a length mark adds to its sound


def clip(
    samples: NDArray[np.float32], words: Sequence[SpokenWord], said: Mapping[int, Span], piece: range
) -> Clip:
    """Cut samples float32 [n] at 24 kHz to the speech, with the sounds of `words[i]` for i in `piece`.

    said: the codes (75 a second) in which each word is said, ascending; a word without an entry has no time.
    Within a word, sounds share its time as vowels and consonants usually do.
    """
    symbols: list[Symbol] = []
    edges_s = [0.0]
    for index in piece:
        if not words[index].symbols:
            continue
        start_s, end_s = (step / CODES_PER_S for step in said[index]) if index in said else (edges_s[-1],) * 2
        if symbols:
            symbols.append(Symbol(" ", -1))
            edges_s.append(start_s)
        else:
            edges_s[0] = start_s
        symbols += [Symbol(char, index) for char in words[index].symbols]
        edges_s += _shared(words[index].symbols, start_s, end_s)
    return cut(samples, symbols, edges_s)


def _shared(symbols: str, start_s: float, end_s: float) -> list[float]:
    """Where each symbol of a word ends, in seconds."""
    parts = np.cumsum([_weight(char) for char in symbols])
    if not parts[-1]:
        return [end_s] * len(symbols)
    ends: list[float] = (start_s + (end_s - start_s) * parts / parts[-1]).tolist()
    return ends


def _weight(char: str) -> float:
    if not visemes.is_sound(char):
        return _LONG if char == visemes.LENGTH else 0.0
    return _VOWEL if visemes.ipa(char) in visemes.VOWELS else _CONSONANT
