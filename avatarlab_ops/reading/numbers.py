"""Numbers as they are written: which mark is the decimal one, and how the number is said."""

from __future__ import annotations

import re

from avatarlab_ops.reading.language import LONGEST, Language

_GROUP_SPACES = "\u00a0\u202f\u2009"
# Digits in groups by spaces, or with commas, points and apostrophes between digits; .5 is half.
_SPACED = rf"[1-9]\d{{0,2}}(?:[ {_GROUP_SPACES}]\d{{3}})+(?![ ]?\d)(?:[.,]\d+)?"
# Where commas group, an ordinary space does so only before 000: 10 000, but rooms 101 102.
_RARELY_SPACED = rf"[1-9]\d{{0,2}}(?:(?:[{_GROUP_SPACES}]\d{{3}})+|(?: \d{{3}})* 000)(?![ ]?\d)(?:[.,]\d+)?"
_MARKED = r"""(?<![\w.,!?…)]["'”’»])"""  # noqa: RUF001  # "so".3 is a footnote's mark, no third of one
NUMBER = rf"(?:{_SPACED}|\d+(?:[.,'’]\d+)*|(?<![\w.,)\]]){_MARKED}\.\d+)"  # noqa: RUF001
COUNTED = "%‰°€£$¥₽₴₹¢"  # signs of what a number before them counts
# Where what is counted ends; a hyphen there, before another number, is a range: 10%-20%, 20 €-30 €, 5°C-8°C.
AFTER_COUNTED = rf"(?:(?<=\d[{COUNTED}])|(?<=\d\s[{COUNTED}])|(?<=°[CF]))"
SIGN = rf"(?:(?<![\w.,)])(?:[\u2212+]|(?!{AFTER_COUNTED})-))?"


def grouped_by_commas(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """A rule's pattern for a language that groups thousands with commas, and rarely with spaces."""
    return re.compile(pattern.pattern.replace(_SPACED, _RARELY_SPACED), pattern.flags)


def split(text: str, decimal: str) -> tuple[str, str] | None:
    """Digits before and after the decimal mark; None where the marks make no number (1.5.2).

    Of both marks the last is the decimal one; a single mark before exactly three digits groups thousands
    unless it is the language's decimal mark. Indian groups are known: 5,00,000.

    >>> split("1.299,99", "."), split("1,5", "."), split("1,500", "."), split("1.5.2", ".")
    (('1299', '99'), ('1', '5'), ('1500', ''), None)
    """
    text = re.sub(rf"[ {_GROUP_SPACES}'’]", "", text)  # noqa: RUF001
    marks = [char for char in text if char in ",."]
    if not marks:
        return text, ""
    mark = marks[-1]
    if len(set(marks)) == 2 and marks.count(mark) == 1:
        whole, _, part = text.rpartition(mark)
        return (whole.translate({0x2C: None, 0x2E: None}), part) if _grouped(whole) else None
    if len(marks) > 1:
        return (text.replace(mark, ""), "") if len(set(marks)) == 1 and _grouped(text) else None
    whole, _, part = text.partition(mark)
    if mark != decimal and _grouped(text):
        return whole + part, ""
    return whole or "0", part


def _grouped(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}", text) is not None


def say(text: str, language: Language) -> str | None:
    """A number with its sign in words: "-1,5" is "minus one point five". None where it is none.

    Leading zeros and more than 15 digits make it an identifier, said digit by digit.
    """
    sign, bare = _signed(text)
    parts = split(bare, language.decimal)
    if parts is None:
        return None
    said = _decimal(*parts, language) if parts[1] else _whole(parts[0], language)
    return " ".join(filter(None, ({"-": language.minus, "+": language.plus}.get(sign), said)))


def _decimal(whole: str, part: str, language: Language) -> str:
    said = language.decimals(whole, part) if language.decimals else None
    return said or f"{_whole(whole, language)} {language.point} {_part(part, language)}"


def _signed(text: str) -> tuple[str, str]:
    if text[0] in "-\u2212":
        return "-", text[1:]
    return ("+", text[1:]) if text[0] == "+" else ("", text)


def _whole(digits: str, language: Language) -> str:
    if len(digits) > LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return language.digits(digits)
    return language.number(int(digits))


def _part(digits: str, language: Language) -> str:
    if language.digitwise or len(digits) > 2:
        return language.digits(digits)
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    said = [language.digits("0" * zeros), language.number(int(rest)) if rest else ""]
    return " ".join(filter(None, said))


def value(text: str, language: Language) -> float | None:
    """What a number without a sign is worth; None where it is none."""
    parts = split(text, language.decimal)
    return None if parts is None else float(f"{parts[0]}.{parts[1] or 0}")


def between(first: str, last: str, language: Language) -> str:
    """The word between the ends of a range, where two numbers without one would be heard as one number."""
    start, end = value(first, language), value(last, language)
    near = start is not None and end is not None and start < end < 1000
    return language.to if near or not language.far else language.far


def is_one(text: str, language: Language) -> bool:
    """Whether what is counted stands in the singular."""
    parts = split(_signed(text)[1], language.decimal)
    return parts is not None and parts[0].lstrip("0") == "1" and not parts[1].strip("0")


def roman(text: str) -> int | None:
    """Value of a Roman numeral in capitals, None for what is none (IIII, VX)."""
    pattern = r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})"
    if not text or not re.fullmatch(pattern, text):
        return None
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[char] for char in text]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
