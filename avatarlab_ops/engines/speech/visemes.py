"""Phones of the hibari alphabet: their IPA names and the mouth shapes they show."""

# ruff: noqa: RUF001, RUF002  (IPA letters)

from __future__ import annotations

from collections.abc import Iterable, Sequence

from avatarlab_ops.timeline import Phone, Viseme

# Symbols that lengthen, stress or colour the sound beside them and make none of their own.
MARKS = frozenset("ˈˌː" + "ʰʲᵝ\u0303")
STRESS = "ˈ"
LENGTH = "ː"
# Symbols that stand between sounds; whether they are heard as silence is decided by the audio.
BREAKS = frozenset(' ;:,.!?—…"()“”→↓↗↘')

# One-letter names of the hibari alphabet for what IPA writes otherwise.
_IPA = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "S": "ʃ", "T": "ɾ", "W": "aʊ", "Y": "ɔɪ", "ᵊ": "ə", "ᵻ": "ɪ",
    "ʣ": "dz", "ʥ": "dʑ", "ʦ": "ts", "ʨ": "tɕ", "ʤ": "dʒ", "ʧ": "tʃ", "ꭧ": "tʂ",
}  # fmt: skip

# Mouth shapes by sound, after the fifteen-viseme set of `timeline.VISEMES`; a diphthong moves through two.
_SHAPES = {
    ("PP",): "p b m",
    ("FF",): "f v ɸ β ʋ",
    ("TH",): "θ ð",
    ("DD",): "t d ɾ ʈ ɖ ɽ c ɟ",
    ("kk",): "k ɡ q x ɣ χ ʁ ŋ ɴ h ʔ ɰ ç ʝ",
    ("CH",): "tʃ dʒ ʃ ʒ ɕ ʂ dʑ tɕ tʂ",
    ("SS",): "s z ts dz",
    ("nn",): "n l ɳ ɲ ʎ",
    ("RR",): "ɹ r ɻ ɜ ɚ",
    ("aa",): "a ɑ æ ʌ ɐ",
    ("E",): "e ɛ ə œ ø ɤ",
    ("ih",): "i ɪ j ɨ y ɥ",
    ("oh",): "o ɔ ɒ",
    ("ou",): "u ʊ w ɯ",
    ("E", "ih"): "eɪ",
    ("aa", "ih"): "aɪ",
    ("oh", "ou"): "oʊ",
    ("E", "ou"): "əʊ",
    ("aa", "ou"): "aʊ",
    ("oh", "ih"): "ɔɪ",
}
SHAPES: dict[str, tuple[str, ...]] = {
    sound: shapes for shapes, sounds in _SHAPES.items() for sound in sounds.split()
}
_VOWELS = "a ɑ æ ʌ ɐ e ɛ ə œ ø ɤ ɜ ɚ i ɪ ɨ y o ɔ ɒ u ʊ ɯ eɪ aɪ oʊ əʊ aʊ ɔɪ"
VOWELS = frozenset(_VOWELS.split())

# Sounds of the throat: the mouth already takes the shape of what follows.
_THROAT = frozenset({"h", "ʔ"})
_FIRST_SHARE = 0.6  # a diphthong stays in its first shape for this part of its length


def is_sound(symbol: str) -> bool:
    """Whether a symbol of the alphabet is a speech sound."""
    return symbol not in MARKS and symbol not in BREAKS


def ipa(symbol: str) -> str:
    """IPA of one sound of the alphabet ("A" is "eɪ")."""
    return _IPA.get(symbol, symbol)


def visemes(phones: Sequence[Phone]) -> tuple[Viseme, ...]:
    """Mouth shapes over the same time as `phones`, without gaps where the phones have none."""
    shown: list[Viseme] = []
    for phone, following in zip(phones, [*phones[1:], None], strict=True):
        shown.extend(_spread(phone, _shapes(phone, following)))
    return tuple(_merged(shown))


def _shapes(phone: Phone, following: Phone | None) -> tuple[str, ...]:
    if not phone.ipa:
        return ("sil",)
    if phone.ipa in _THROAT and following is not None and following.ipa:
        return SHAPES[following.ipa][:1]
    return SHAPES[phone.ipa]


def _spread(phone: Phone, shapes: tuple[str, ...]) -> Iterable[Viseme]:
    if len(shapes) == 1:
        return [Viseme(name=shapes[0], start_s=phone.start_s, end_s=phone.end_s)]
    turn_s = phone.start_s + _FIRST_SHARE * (phone.end_s - phone.start_s)
    return [
        Viseme(name=shapes[0], start_s=phone.start_s, end_s=turn_s),
        Viseme(name=shapes[1], start_s=turn_s, end_s=phone.end_s),
    ]


def _merged(shown: Iterable[Viseme]) -> Iterable[Viseme]:
    """Join touching rests, so that a pause is one viseme."""
    previous: Viseme | None = None
    for viseme in shown:
        if previous and viseme.name == previous.name == "sil" and viseme.start_s == previous.end_s:
            previous = Viseme(name="sil", start_s=previous.start_s, end_s=viseme.end_s)
            continue
        if previous:
            yield previous
        previous = viseme
    if previous:
        yield previous
