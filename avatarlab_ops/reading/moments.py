"""Dates and times of day in figures."""

from __future__ import annotations

import re
from collections.abc import Iterable

from avatarlab_ops.reading.language import Language, Rule

_ISO = re.compile(r"(?<![\w/-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/]|-\d)(?:T(?=\d))?")
_FIGURES = re.compile(r"(?<![\w./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|[.-]\d)")
_TIME = re.compile(r"(?:(?<![\w:.,])|(?<=\dT))(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?:Z\b|(?![\w:]))")


def rules(language: Language) -> Iterable[Rule]:
    """2026-11-29, 29.11.2026, 11/29/2026 or 29/11/2026 by the language's habit, 14:05."""
    yield Rule("date", _ISO, lambda m: date(int(m[4]), int(m[3]), m[1], language))
    yield Rule("date", _FIGURES, lambda m: _figures(m, language))
    yield Rule("time", _TIME, lambda m: _time(m, language))


def _figures(match: re.Match[str], language: Language) -> str | None:
    day, month = int(match[1]), int(match[3])
    if match[2] != "." and not language.day_first:
        day, month = month, day
    if month > 12 >= day:
        day, month = month, day
    if match[2] == "." and len(match[4]) < 4:  # 1.5.20 is a version
        return None
    return date(day, month, match[4], language)


def date(day: int, month: int, year: str, language: Language) -> str | None:
    """A date in words, its year of two or four figures; None where there is no such day or month."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    century = 0 if len(year) == 4 else 2000 if int(year) < 50 else 1900
    return language.say_date(day, month, int(year) + century)


def _time(match: re.Match[str], language: Language) -> str | None:
    hour = int(match[1])
    if hour > 24:
        return None
    return language.say_time(hour, int(match[2]), int(match[3]) if match[3] else None)
