"""Mouth shapes cover everything the model can say."""

import json
from pathlib import Path

import pytest
from hibari.tts import ASSETS

from avatarlab_ops.engines.speech import visemes
from avatarlab_ops.timeline import VISEMES, Phone

ALPHABET = set(json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8")))


def test_every_symbol_of_the_model_is_a_sound_a_mark_or_a_break() -> None:
    sounds = {symbol for symbol in ALPHABET if visemes.is_sound(symbol)}
    assert ALPHABET - sounds == ALPHABET & (visemes.MARKS | visemes.BREAKS)
    assert {visemes.ipa(symbol) for symbol in sounds} <= set(visemes.SHAPES)
    assert len(sounds) > 80


def test_every_shape_is_one_of_the_fifteen() -> None:
    assert {shape for shapes in visemes.SHAPES.values() for shape in shapes} == set(VISEMES) - {"sil"}
    assert set(visemes.SHAPES) >= visemes.VOWELS


def spoken(*sounds: str) -> list[tuple[str, float, float]]:
    phones = [Phone(ipa=ipa, start_s=i, end_s=i + 1) for i, ipa in enumerate(sounds)]
    return [(v.name, v.start_s, v.end_s) for v in visemes.visemes(phones)]


@pytest.mark.parametrize("bilabial", ["p", "b", "m"])
def test_lips_close_for_bilabials(bilabial: str) -> None:
    assert spoken(bilabial) == [("PP", 0, 1)]


def test_a_diphthong_moves_through_two_shapes() -> None:
    assert spoken("aʊ") == [("aa", 0, 0.6), ("ou", 0.6, 1)]


def test_h_takes_the_shape_of_what_follows() -> None:
    assert spoken("h", "u") == [("ou", 0, 1), ("ou", 1, 2)]
    assert spoken("h", "") == [("kk", 0, 1), ("sil", 1, 2)]


def test_rests_that_touch_are_one() -> None:
    assert spoken("", "", "m", "") == [("sil", 0, 2), ("PP", 2, 3), ("sil", 3, 4)]
