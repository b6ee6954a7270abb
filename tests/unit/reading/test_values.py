"""What is heard is the number that was written: sign, point, decimals, unit, range, in English and German."""

# ruff: noqa: RUF001  (typographic characters are the subject)

import re
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.reading import read
from avatarlab_ops.reading.numbers import roman

_SMALL = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
          "sixteen seventeen eighteen nineteen",
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
          "sechzehn siebzehn achtzehn neunzehn",
}  # fmt: skip
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
}
_LARGE = {"en": ("thousand", "hundred"), "de": ("tausend", "hundert")}
_POINT = {"en": "point", "de": "Komma"}
_UNITS = {
    "en": {"kg": "kilogram", "km": "kilometer", "%": "percent", "°C": "degree Celsius",
           "ºC": "degree Celsius", "€": "euro", "$": "dollar"},
    "de": {"kg": "Kilogramm", "km": "Kilometer", "%": "Prozent", "°C": "Grad Celsius", "ºC": "Grad Celsius",
           "€": "Euro", "$": "Dollar"},
}  # fmt: skip


def whole(words: str, language: str) -> int:
    """The number below a million that these words say; every letter must be one of its words."""
    rest = re.sub(r"[ -]", "", words)
    for word, scale in zip(_LARGE[language], (1000, 100), strict=True):
        if word in rest:
            before, after = rest.split(word, 1)
            return (whole(before, language) if before else 1) * scale + (
                whole(after, language) if after else 0
            )
    return _below_100(rest.removesuffix("s") if rest == "eins" else rest, language)


def _below_100(word: str, language: str) -> int:
    small = _SMALL[language].split()
    if word in small:
        return small.index(word)
    for value, ten in enumerate(_TENS[language].split(), 2):
        joint = rf"(?:(\w+)und)?{ten}" if language == "de" else rf"{ten}(\w+)?"
        if found := re.fullmatch(joint, word):
            return 10 * value + (small.index(found[1]) if found[1] else 0)
    raise AssertionError(f"{word!r} is no number in {language}")


def heard(words: str, language: str) -> Decimal:
    """The value of a number in words, negative after "minus"."""
    before, _, after = words.removeprefix("minus ").partition(f" {_POINT[language]} ")
    digits = "".join(str(whole(digit.removesuffix("s") if digit == "eins" else digit, language))
                     for digit in after.split())  # fmt: skip
    value = Decimal(f"{whole(_bare(before), language)}.{digits or 0}")
    return -value if words.startswith("minus ") else value


def _bare(words: str) -> str:
    return re.sub(r"eins$", "ein", words)


def counted(said: str, unit: str, language: str) -> Decimal:
    """The value of one amount, in words and with its unit, money with its cents."""
    first, *rest = unit.split(" ")
    tail = "".join(f" {word}" for word in rest)
    found = re.fullmatch(rf"(.+?) {first}s?{tail}(?: (?:and|und) (.+) [cC]ents?)?", said)
    if found is None:
        alone = re.fullmatch(r"(.+) [cC]ents?", said)
        assert alone is not None, f"{said!r} has no {unit}"
        return heard(alone[1], language) / 100
    return heard(found[1], language) + (heard(found[2], language) / 100 if found[2] else 0)


@dataclass(frozen=True)
class Written:
    """A number as it is written in a language, and its value."""

    text: str
    value: Decimal


@st.composite
def numbers(draw: st.DrawFn, language: str) -> Written:
    before = draw(st.one_of(st.integers(0, 120), st.integers(0, 999_999)))
    part = draw(st.sampled_from(["", "5", "05", "25", "125"]))
    value = Decimal(f"{before}.{part or 0}")
    if part and not before and draw(st.booleans()):
        return Written(f".{part}", value)
    mark = "." if language == "en" else ","
    return Written(f"{before}{mark + part if part else ''}", value)


units = st.sampled_from(list(_UNITS["en"]))
spaces = st.sampled_from(["", " "])


@pytest.mark.parametrize(
    ("text", "value"),
    [("MMXXVI", 2026), ("MCMXCIX", 1999), ("CDXLIV", 444), ("DCLX", 660), ("IIII", None), ("VX", None)],
)
def test_a_roman_numeral_has_its_value_or_is_none(text: str, value: int | None) -> None:
    assert roman(text) == value


@pytest.mark.parametrize("language", ["en", "de"])
@given(data=st.data())
def test_an_amount_keeps_its_value(language: str, data: st.DataObject) -> None:
    number, unit = data.draw(numbers(language)), data.draw(units)
    sign = data.draw(st.sampled_from(["", "-", "\u2212"]))
    written = f"{sign}{number.text}{data.draw(spaces)}{unit}"
    said = read(f"Ok {written} ok", language).said.removeprefix("Ok ").removesuffix(" ok")
    assert said == read(written, language).said
    assert said.startswith("minus ") == bool(sign)
    value = counted(said.removeprefix("minus "), _UNITS[language][unit], language)
    assert value == number.value, f"{written!r} is {said!r}"


@pytest.mark.parametrize("language", ["en", "de"])
@given(data=st.data())
def test_a_range_keeps_both_its_ends(language: str, data: st.DataObject) -> None:
    ends, unit, space = [data.draw(numbers(language)) for _ in range(2)], data.draw(units), data.draw(spaces)
    written = data.draw(st.sampled_from("-–")).join(f"{end.text}{space}{unit}" for end in ends)
    begin, _, last = read(written, language).said.partition(" to " if language == "en" else " bis ")
    for said, end in zip((begin, last), ends, strict=True):
        assert counted(said, _UNITS[language][unit], language) == end.value, f"{written!r}: {said!r}"


@pytest.mark.parametrize("language", ["en", "de"])
@given(power=st.integers(-99, 99), factor=st.integers(1, 9))
def test_a_power_of_ten_keeps_its_sign(language: str, power: int, factor: int) -> None:
    ten = " times ten to the power of " if language == "en" else " mal zehn hoch "
    begin, _, end = read(f"{factor}e{power}", language).said.partition(ten)
    assert (heard(begin, language), heard(end, language)) == (Decimal(factor), Decimal(power))
