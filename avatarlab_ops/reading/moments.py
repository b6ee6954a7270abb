"""Dates and times of day in figures."""

# ruff: noqa: RUF001  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Iterable

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Language, Rule

_ISO = re.compile(r"(?<![\w/-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/]|-\d)(?:T(?=\d))?")
_FIGURES = re.compile(r"(?<![\w./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|[.-]\d)")
_NO_SCALE = r"(?![.,]\d{3}(?!\d)|[ \u00a0\u202f]000)"  # 1:50.000
_TIME = re.compile(
    rf"(?:(?<![\w:.,])|(?<=:\d\d,)|(?<=\dT))(\d{{1,2}}):([0-5]\d)(?::([0-5]\d))?(?:(Z)\b|(?<=:\d\d:\d\d)([+-]\d\d):?\d\d\b|(?![\w:]){_NO_SCALE})"
)
_LAP = re.compile(r"(?<![\w:.,])(\d{1,2}):([0-5]\d)([.,]\d{1,3})(?!\d|[.,:]\d)")
_SCALED = re.compile(
    r"\b(?:ratio|scale|odds|maßstab|verhältnis|échelle|escala|proporción|proporção|scala|rapporto|"
    r"масштабе?|соотношени[еи]|масштабі?|співвідношенн[яі])(?: (?:of|de|di|von|du))?:? $",
    re.I,
)
# Day and month without a year: le 14/07, no dia 03/05; without such a word only where a zero tells.
_DAYS = re.compile(r"(?<![\w./,-])(\d{1,2})/(\d{1,2})(?![\w/%]|[.,-]\d)")
_DATED = re.compile(
    r"\b(?:le|du|au|dès|el|del|al|día|dia|no|em|até|il|dal|fino al|on|by|until|till|from|since|before|after|"
    r"ends?|begins?|starts?|opens?|closes?|(?:is|are) due|through|thru|expires?|"
    r"с|до|по|з|від) $",
    re.I,
)


def rules(language: Language) -> Iterable[Rule]:
    """2026-11-29, 29.11.2026, 11/29/2026 or 29/11/2026 by the language's habit, 14:05."""
    yield Rule("date", _ISO, lambda m: date(int(m[4]), int(m[3]), m[1], language))
    yield Rule("date", _FIGURES, lambda m: _figures(m, language))
    if not language.unspaced:
        yield Rule("date", _DAYS, lambda m: _days(m, language))
    yield Rule("lap", _LAP, lambda m: _lap(m, language))
    yield Rule("time", _TIME, lambda m: _time(m, language))


def _figures(match: re.Match[str], language: Language) -> str | None:
    day, month = int(match[1]), int(match[3])
    if language.unspaced and match[2] == "/" and len(match[4]) == len(match[1]) == 2:  # 26/04/01
        return date(int(match[4]), month, match[1], language)
    if match[2] != "." and not language.day_first:
        day, month = month, day
    if month > 12 >= day:
        day, month = month, day
    padded = len(match[1]) == len(match[3]) == 2 and "0" in (match[1][0], match[3][0])
    if match[2] == "." and len(match[4]) < 4 and not (padded and language.day_first):
        return None  # 1.5.20 is a version, 01.05.26 a day
    return date(day, month, match[4], language)


def date(day: int, month: int, year: str, language: Language) -> str | None:
    """A date in words, its year of two or four figures; None where there is no such day or month."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    century = 0 if len(year) == 4 else 2000 if int(year) < 50 else 1900
    return language.say_date(day, month, int(year) + century)


def dates(before: str) -> bool:
    """Whether a day and a month may follow these words: le, el, am."""
    return _DATED.search(before) is not None


def _days(match: re.Match[str], language: Language) -> str | None:
    first, second = int(match[1]), int(match[2])
    told = dates(match.string[: match.start()]) or (len(match[0]) == 5 and "0" in (match[1][0], match[2][0]))
    day, month = (first, second) if language.day_first or first > 12 else (second, first)
    if not told or not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return language.say_date(day, month, None)


def _lap(match: re.Match[str], language: Language) -> str | None:
    """1:23.456: one minute twenty-three point four five six seconds; with the other mark it is a scale."""
    if match[3][0] != language.decimal or _SCALED.search(match.string[: match.start()]):
        return None
    seconds = numbers.say(match[2].lstrip("0").rjust(1, "0") + language.decimal + match[3][1:], language)
    minutes = language.number(int(match[1]))
    one, many = language.units["min"]
    said = language.form(minutes, one if match[1] == "1" else many)
    second = language.form(seconds or "", language.units["s"][1])
    return seconds and f"{language.agree(minutes, said)} {said} {seconds} {second}"


def _time(match: re.Match[str], language: Language) -> str | None:
    hour = int(match[1])
    if hour > 24 or _SCALED.search(match.string[: match.start()]):
        return None
    said = language.say_time(hour, int(match[2]), int(match[3] or 0) or None)
    if match[5]:
        hours = int(match[5])
        offset = language.number(abs(hours))
        return f"{said} UTC {language.minus if match[5][0] == '-' else language.plus} {offset}"
    return f"{said} UTC" if match[4] else said
