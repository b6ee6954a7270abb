"""What a model speaks at once is never longer than it was trained on, and no symbol is lost."""

from __future__ import annotations

import pytest

from avatarlab_ops.engines.speech.pieces import pieces
from avatarlab_ops.engines.speech.spoken import SpokenWord


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        ([3, 100], [104]),
        ([3, 396], [400]),
        ([300, 200], [300, 200]),
        ([901], [400, 400, 101]),
        ([30, 624, 20], [30, 400, 245]),
    ],
    ids=["short", "just", "two", "long word", "long word among others"],
)
def test_pieces_are_no_longer_than_the_model_takes(lengths: list[int], found: list[int]) -> None:
    words = [SpokenWord("word", "a" * length) for length in lengths]
    assert [len(piece) for piece in pieces(words)] == found


def test_what_stays_after_an_early_clause_is_measured_again() -> None:
    words = [SpokenWord("Ja,", "jaa,"), *[SpokenWord("777777", "z" * 54)] * 8, SpokenWord("w", "v" * 350)]
    assert [len(piece) for piece in pieces(words)] == [4, 384, 54, 350]
