"""What SSML's `say-as` asks: one text in words, in the way that it names."""

from __future__ import annotations

import datetime
import re

from avatarlab_ops.reading import known, moments, numbers
from avatarlab_ops.reading.language import LONGEST, Language, ordinal

# Read so without being asked.
_USUAL = ("date", "time", "currency", "unit", "fraction", "duration", "address")
_WHOLE = re.compile(r"\d{1,3}(?:[,.'’ \u00a0\u202f]\d{3})+|\d+")  # noqa: RUF001
_LAST = 999_999  # a rank; not every language has words for higher ones, or for a zeroth
LAYOUTS = ("dmy", "mdy", "ymd", "dm", "md")  # of a date's figures


def said(kind: str, text: str, language: str, layout: str = "", before: str = "") -> str | None:
    """`text` read as `kind`; None where this language or text has no such reading, or it is the usual one's.

    `layout` is the order of a date's figures, such as dmy (SSML's `format`); `before` is the text
    that a date follows.

    >>> said("characters", "AB1", "en-US"), said("digits", "2026", "en-US")
    ('A B one', 'two zero two six')
    """
    rules = known(language)
    if kind == "date" and layout:
        date = _date(text, layout, rules) if rules else None
        return rules.date_after(date, before) if rules and date else None
    if kind in ("characters", "spell-out", "verbatim"):
        return _spelled(text, rules)
    if kind in ("digits", "telephone"):
        return _digits(text, rules) if re.fullmatch(r"[\d\s+().\-/]*\d[\d\s+().\-/]*", text) else None
    if rules is None:
        return None
    if kind in ("cardinal", "number"):
        return _cardinal(text, rules)
    return _ordinal(text, rules) if kind == "ordinal" else None


def _cardinal(text: str, rules: Language) -> str | None:
    """A whole number, with its sign."""
    sign = {"-": rules.minus, "\u2212": rules.minus, "+": rules.plus}.get(text[:1], "")
    value = _whole(text[1:] if sign else text, rules)
    if value is None:
        return None
    return ("" if rules.unspaced else " ").join(filter(None, (sign, rules.number(value))))


def _ordinal(text: str, rules: Language) -> str | None:
    value = _whole(text, rules)
    if value is None or not 0 < value <= _LAST:
        return None
    said = ordinal(rules.code, value)
    return f"第{said}" if rules.code == "zh" else said


def _whole(text: str, rules: Language) -> int | None:
    """A whole number, its thousands grouped as in this language; None for another, or one without words."""
    parts = numbers.split(text, rules.decimal) if _WHOLE.fullmatch(text) else None
    return int(parts[0]) if parts and not parts[1] and len(parts[0]) <= LONGEST else None


def _date(text: str, layout: str, rules: Language) -> str | None:
    figures = re.fullmatch(r"(\d{1,4})(?:[/.\- ]+(\d{1,4}))(?:[/.\- ]+(\d{1,4}))?\.?", text)
    if layout not in LAYOUTS or not figures:
        return None
    found = [figure for figure in figures.groups() if figure]
    if len(found) != len(layout):
        return None
    part = dict(zip(layout, found, strict=True))
    day, month, year = int(part["d"]), int(part["m"]), part.get("y", "2000")
    if len(year) not in (2, 4) or not _exists(day, month, int(year)):
        return None
    return moments.date(day, month, year, rules) if "y" in part else rules.say_date(day, month, None)


def _exists(day: int, month: int, year: int) -> bool:
    try:
        return bool(datetime.date(year if year > 99 else 2000 + year, month, day))
    except ValueError:
        return False


def usual(kind: str) -> bool:
    """Whether the ordinary rules read this kind by themselves."""
    return kind in _USUAL


def _spelled(text: str, rules: Language | None) -> str:
    signs = {**rules.signs, **rules.web} if rules else {}
    said = (_digits(c, rules) if c.isdecimal() else signs.get(c, c.upper()) for c in text)
    return " ".join(" ".join(said).split())


def _digits(text: str, rules: Language | None) -> str:
    if rules is None:
        return " ".join(char for char in text if char.isdecimal())
    return " ".join(rules.plus if c == "+" else rules.digits(c) for c in text if c.isdecimal() or c == "+")
