"""Words of a sentence to what a model speaks at once, for models with hibari's alphabet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avatarlab_ops.engines.speech.clip import Symbol
from avatarlab_ops.engines.speech.spoken import SpokenWord

PIECE_PAUSE_S = 0.15  # between two pieces of one long sentence
_MAX_SYMBOLS = 400  # the models were trained on pieces up to this length
_CLAUSE_ENDS = frozenset(",;:—.!?…")


def mute(words: Sequence[SpokenWord]) -> list[str]:
    """Words with letters or digits that have no sound in the model's alphabet."""
    return [word.text for word in words if not word.symbols and any(map(str.isalnum, word.text))]


def pieces(words: Sequence[SpokenWord]) -> Iterator[list[Symbol]]:
    """Symbols for one run of the model each: at most 400, cut after a clause if any, or after a word."""
    piece: list[Symbol] = []
    clause_end = 0  # symbols up to the last clause end in the piece
    for fresh in _parts(words):
        while piece and len(piece) + 1 + len(fresh) > _MAX_SYMBOLS:
            stop = clause_end or len(piece)
            yield piece[:stop]
            piece, clause_end = piece[stop + 1 :], 0
        piece += [Symbol(" ", -1), *fresh] if piece else fresh
        clause_end = len(piece) if fresh[-1].char in _CLAUSE_ENDS else clause_end
    if piece:
        yield piece


def _parts(words: Sequence[SpokenWord]) -> Iterator[list[Symbol]]:
    """Symbols of each word that has any; a word longer than a piece comes in parts."""
    for index, word in enumerate(words):
        symbols = [Symbol(char, index) for char in word.symbols]
        for start in range(0, len(symbols), _MAX_SYMBOLS):
            yield symbols[start : start + _MAX_SYMBOLS]
