"""Words longer than a line are broken as a typesetter would, whatever they are written with."""

# ruff: noqa: RUF001  (full-width punctuation, Cyrillic)

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.media.breaking import cells, pieces

LONG = st.text("abeghinrstuoäßфаиш漢かっー。、「」9@.-", min_size=1, max_size=90)


@pytest.mark.parametrize(
    ("word", "line_chars", "expected"),
    [
        ("Donaudampfschifffahrtsgesellschaft,", 24, "Donaudampfschiff- fahrtsgesellschaft,"),
        ("Geschwindigkeitsbegrenzungsverordnung", 24, "Geschwindigkeitsbe- grenzungsverordnung"),
        (
            "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", 42,
            "Rindfleischetikettierungsüberwa- chungsaufgabenübertragungsgesetz",
        ),
        ("anticonstitutionnellement", 18, "anticonstitu- tionnellement"),
        ("достопримечательностями", 18, "достопримеча- тельностями"),
        ("Haupt-Donaudampfschiffkapitän", 24, "Haupt- Donaudampfschiffkapitän"),
        ("https://example.com/a/long-path/index.html", 24, "https://example.com/ a/long-path/index.html"),
        ("コンピューターグラフィックス", 24, "コンピューター グラフィックス"),
        ("グラフィックス", 12, "グラ フィックス"),
        ("「チョコレートケーキ」", 12, "「チョコレー トケーキ」"),
        ("123456789012345678,901", 18, "12345678901 2345678,901"),
        ("short", 18, "short"),
        ("", 18, ""),
    ],
)  # fmt: skip
def test_a_long_word_is_broken_where_a_reader_expects_it(word: str, line_chars: int, expected: str) -> None:
    assert " ".join(pieces(word, line_chars)) == expected


@given(word=LONG, line_chars=st.integers(18, 42))
def test_pieces_fit_and_hold_the_word(word: str, line_chars: int) -> None:
    found = pieces(word, line_chars)
    assert all(0 < cells(piece) <= line_chars for piece in found if word)
    at = 0
    for piece in found:
        here = piece if word.startswith(piece, at) else piece.removesuffix("-")
        assert word.startswith(here, at)
        at += len(here)
    assert at == len(word)
    assert all(cells(a) + cells(b) + 1 > line_chars for a, b in pairwise(found)), "one line for both"
    assert (len(found) == 1) == (cells(word) <= line_chars)


@given(st.text("漢字かなっゃー。、！」ンョ", min_size=20, max_size=60), st.integers(18, 24))
def test_no_line_begins_with_a_sign_that_must_not(word: str, line_chars: int) -> None:
    """Unless so many stand in a row that every break would."""
    if any(sum(one in "漢字かなン" for one in word[at : at + 7]) < 3 for at in range(len(word))):
        word = "漢字かなの町ー。" * 5
    for piece in pieces(word, line_chars)[1:]:
        assert piece[0] not in "っゃー。、！」ョ"
