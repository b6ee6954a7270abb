"""What SSML's `say-as` asks: one text in words, in the way that it names."""

from __future__ import annotations

import re

from avatarlab_ops.reading.language import Language, ordinal

_USUAL = (
    "date",
    "time",
    "currency",
    "unit",
    "fraction",
    "duration",
    "address",
)  # read so without being asked


def said(kind: str, text: str, language: str) -> str | None:
    """`text` read as `kind`; None where this language or text has no such reading, or it is the usual one's.

    >>> said("characters", "AB1", "en-US"), said("digits", "2026", "en-US")
    ('A B one', 'two zero two six')
    """
    from avatarlab_ops.reading import known

    rules = known(language)
    if kind in ("characters", "spell-out", "verbatim"):
        return _spelled(text, rules)
    if kind in ("digits", "telephone"):
        return _digits(text, rules) if re.fullmatch(r"[\d\s+().\-/]*\d[\d\s+().\-/]*", text) else None
    whole = re.fullmatch(r"[\d,.\u00a0 ]*\d", text)
    if rules is None or not whole:
        return None
    value = int(re.sub(r"\D", "", text))
    if kind in ("cardinal", "number"):
        return rules.number(value)
    return ordinal(rules.code, value) if kind == "ordinal" else None


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
