"""A language's words for units, signs and fractions, written down in one order for all languages."""

# ruff: noqa: RUF001  (typographic characters)

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from avatarlab_ops.reading.language import Money
from avatarlab_ops.reading.units import units


def names(text: str) -> tuple[str, ...]:
    """Words apart by spaces."""
    return tuple(text.split())


_UNITS = names(
    "meter gram liter second minute hour watt volt ampere hertz byte bit pixel pascal joule calorie "
    "bar ton hectare "
    "decibel degree day"
)
_PREFIXES = names("kilo mega giga tera peta hecto deci centi milli micro nano")
_FORMS = names("square cubic Celsius Fahrenheit hours_after per_second per_hour percent permille ppm")
_SIGNS = names("% ‰ & + = @ # / \\ * _ ~ ^ | < > ≤ ≥ ≠ ≈ ± × ÷ √ ∞ ° § ¶ © ® ™ € £ $ ¥ ² ³ → № µ ª º")
_SAME = {"<=": "≤", ">=": "≥", "!=": "≠", "==": "=", "->": "→", "=>": "→"}
_WEB = names(". @ / - _ : ? = & # + % ~ , ;")
_FRACTIONS = names("½ ⅓ ⅔ ¼ ¾ ⅕ ⅖ ⅗ ⅘ ⅙ ⅛ ⅜ ⅝ ⅞")
_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"


def measures(
    counted: str, prefixes: str, forms: str, more: str = "", accents: str = ""
) -> dict[str, tuple[str, str]]:
    """Symbol to (one, many): "metro metros, gramo gramos ..." for each unit, then prefixes, then patterns.

    `more`: symbols of the language's own, "Mo=mégaoctet|mégaoctets, ..."; `accents`: words put together that
    have one.
    """
    pairs = [tuple(pair.split("|")) for pair in _list(counted)]
    words = {unit: many for unit, (_, many) in zip(_UNITS, pairs, strict=True)}
    words |= {f"one_{unit}": one for unit, (one, _) in zip(_UNITS, pairs, strict=True)}
    words |= dict(zip(_PREFIXES, prefixes.split(), strict=True)) | dict(
        zip(_FORMS, _list(forms), strict=True)
    )
    own = dict(entry.split("=") for entry in _list(more))
    found = units(words) | {symbol: _pair(both) for symbol, both in own.items()}
    for word in accents.split():
        found = {symbol: _replaced(both, _bare(word), word) for symbol, both in found.items()}
    return found


def signs(words: str) -> dict[str, str]:
    """Sign to words."""
    found = dict(zip(_SIGNS, _list(words), strict=True))
    return found | {sign: found[same] for sign, same in _SAME.items()}


def keys(sharp: str, flat: str) -> dict[str, str]:
    """The words for the signs of music, which follow a note."""
    return {"♯": sharp, "♭": flat}


def web(words: str) -> dict[str, str]:
    """Sign of an address to words."""
    return dict(zip(_WEB, _list(words), strict=True))


def fractions(words: str) -> dict[str, str]:
    """Fraction that is one character to words."""
    return dict(zip(_FRACTIONS, _list(words), strict=True))


def greek(words: str) -> dict[str, str]:
    """Greek letter to its name."""
    return dict(zip(_GREEK, words.split(), strict=True))


def money(table: Mapping[str, str]) -> dict[str, Money]:
    """Symbol to words: {"€ EUR": "euro|euros|cent|cents"}."""
    return {
        symbol: Money(*words.split("|")) for symbols, words in table.items() for symbol in symbols.split()
    }


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")] if text else []


def _bare(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))


def _replaced(both: tuple[str, str], old: str, new: str) -> tuple[str, str]:
    return both[0].replace(old, new), both[1].replace(old, new)


def _pair(text: str) -> tuple[str, str]:
    one, many = text.split("|")
    return one, many
