"""What the rules of reading need to know of a language: its words for signs, units, money and times."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Say = Callable[[re.Match[str]], str | None]


class Rule(NamedTuple):
    """One way of reading: what it takes, and the words for it (None: not this one after all).

    `short`: the abbreviations with a full stop that it takes, as written, and so no end of a sentence.
    """

    kind: str
    pattern: re.Pattern[str]
    say: Say
    short: frozenset[str] = frozenset()


def stopped(words: Iterable[str]) -> frozenset[str]:
    """Those of the words that end in a full stop."""
    return frozenset(word for word in words if word.endswith("."))


class Money(NamedTuple):
    """Words for an amount: one dollar, two dollars, one cent, two cents."""

    one: str
    many: str
    part: str
    parts: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Language:
    """One language as it is read aloud.

    `code` is what num2words calls it; `decimal` the mark before decimals; `point`, `minus`, `to`, `by`,
    `power` its words for them, the exponent last or where `power` has {}; `digitwise`: decimals are read
    digit by digit. `signs` are words for single signs, `silent` for none; `units` and `money` give (one,
    many) after a number; `dates` and `times` say a date (day, month 1-12, year or None) and a time (hour
    0-24, minute, second or None); `date_after` fits a date in words to the text before it. `own` are rules of
    the language alone and come before the common ones. `agree` fits a number in words to what is counted,
    `form` what is counted, as the tables have it, to the number.
    `decimals` says the digits before and after the decimal mark, None: they are said with `point`.
    `unlike` is whether the unit of a measure is a word here: nel 2024 ha aperto.
    `modifies` is whether an amount stands before what it describes, and so in the singular: a 12 volt lamp.
    `out_of` stands between the parts of 4.5/5 and `over` between those of 120/80 mmHg, "" where the language
    has neither; `each` stands before a round number of units
    (8 l/100 km), "" where `per` does; `times` after a factor (10x); `half` says a whole number and a half.
    `far` stands between the ends of a range for `to` where they would be heard as one number: 20-2000.
    `finish` says a part in words as a variety of the language does (one hundred and twenty).
    `unspaced`: it has no spaces between words, whose borders are those of digits and of foreign letters.
    """

    code: str
    decimal: str
    point: str
    minus: str
    plus: str
    to: str
    by: str
    power: str
    and_: str
    of: str  # between a scale and money: dos millones "de" euros
    digitwise: bool
    day_first: bool
    signs: Mapping[str, str]
    web: Mapping[str, str]  # signs of addresses
    units: Mapping[str, tuple[str, str]]
    per: str
    money: Mapping[str, Money]
    scales: Mapping[str, str]
    months: tuple[str, ...]
    fractions: Mapping[str, str]
    ordinal: str  # pattern of what follows the digits of an ordinal
    greek: Mapping[str, str]
    say_date: Callable[[int, int, int | None], str]
    say_time: Callable[[int, int, int | None], str]
    date_after: Callable[[str, str], str] = lambda said, _: said
    own: tuple[Rule, ...] = ()
    version: str = "version"
    agree: Callable[[str, str], str] = lambda number, _: number
    form: Callable[[str, str], str] = lambda _, what: what
    decimals: Callable[[str, str], str | None] | None = None
    modifies: Callable[[re.Match[str]], bool] = lambda _: False
    out_of: str = ""
    each: str = ""
    over: str = ""
    times: str = ""
    half: Callable[[int], str] | None = None
    far: str = ""
    finish: Callable[[str], str] = lambda said: said
    unspaced: bool = False
    unlike: Callable[[re.Match[str]], bool] = lambda _: False
    ratio: str | None = None  # between the parts of 3:1, "" for no word; None: `to`

    def number(self, value: int) -> str:
        """A whole number in words."""
        return cardinal(self.code, value)

    def year(self, value: int) -> str:
        """A year in words, which in English and German is no other number's."""
        return year(self.code, value) if self.code in ("en", "de") else self.number(value)

    def spoken(self, digits: str) -> str:
        """Digits as a whole number; more of them than words exist for are read one by one."""
        few = len(digits) <= _NAMED.get(self.code, 27)
        return self.number(int(digits)) if few else self.digits(digits)

    def raised(self, base: str, exponent: str) -> str:
        """A power, of words and in words."""
        if "{}" in self.power:
            return f"{base} {self.power.format(exponent)}"
        return f"{base} {self.power} {exponent}"

    def digits(self, text: str) -> str:
        """The digits of `text` one by one."""
        return " ".join(self.number(int(char)) for char in text if char.isdecimal())


_NAMED = {"zh": 16, "pt_BR": 18}  # digits for which a language has words; the others have them for 27
LONGEST = 15  # digits; a longer number is an identifier


@functools.lru_cache(maxsize=4096)
def cardinal(code: str, value: int) -> str:
    """A whole number in words: 1234 is "one thousand two hundred thirty-four" in American English."""
    return _plain(code, value, "cardinal")


@functools.lru_cache(maxsize=4096)
def ordinal(code: str, value: int) -> str:
    """An ordinal number in words: 21 is "twenty-first"."""
    if (code, value) == ("uk", 0):  # num2words has none
        return "нульовий"
    return _plain(code, value, "ordinal")


_HUNDREDS = [
    "двохсот",
    "трьохсот",
    "чотирьохсот",
    "п'ятисот",
    "шестисот",
    "семисот",
    "восьмисот",
    "дев'ятисот",
]


_THOUSANDS = ((10**9, False, "мільярда", "мільярдів"), (10**6, False, "мільйона", "мільйонів"),
              (1000, True, "тисячі", "тисяч"))  # fmt: skip


def _many_of(value: int, feminine: bool) -> str:
    """A Ukrainian number from 1000 in the genitive, which num2words does not decline: двох тисяч."""
    said: list[str] = []
    for worth, is_feminine, one, many in _THOUSANDS:
        count, value = divmod(value, worth)
        if count:
            single = count % 10 == 1 and count % 100 != 11
            said += [genitive("uk", count, is_feminine)] if count > 1 else []
            said.append(one if single else many)
    return " ".join([*said, genitive("uk", value, feminine)] if value else said)


@functools.lru_cache(maxsize=1024)
def genitive(code: str, value: int, feminine: bool = False) -> str:
    """A whole number in the genitive; `code` is ru or uk: 25 is "двадцати пяти"."""
    if code == "uk" and value >= 1000:
        return _many_of(value, feminine)
    if code == "uk" and value >= 200:  # num2words does not decline these hundreds
        hundreds, rest = divmod(value, 100)
        return f"{_HUNDREDS[hundreds - 2]} {genitive(code, rest, feminine) if rest else ''}".strip()
    from num2words import num2words

    asked = (
        ("g", "f" if feminine else "m")
        if code == "ru"
        else ("genitive", "feminine" if feminine else "masculine")
    )
    said: str = num2words(value, lang=code, case=asked[0], gender=asked[1])
    return said


@functools.lru_cache(maxsize=1024)
def year(code: str, value: int) -> str:
    """A year in words: 1999 is "nineteen ninety-nine" in English."""
    return _plain(code, value, "year")


def _chinese(value: int) -> str:
    """A whole number below 10^16 in Chinese, which num2words does not know.

    >>> _chinese(10_203), _chinese(12), _chinese(200_000_050)
    ('一万零二百零三', '十二', '两亿零五十')
    """
    if value == 0:
        return "零"
    said, skipped = "", False
    for scale, unit in ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"), (1, "")):
        part, value = divmod(value, scale)
        if part:
            skipped = bool(said) and (skipped or part < 1000)
            said += ("零" if skipped else "") + ("两" if part == 2 and unit else _below_10000(part)) + unit
        skipped = not part
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_10000(value: int) -> str:
    said, skipped = "", False
    for scale, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, scale)
        if digit:
            two = "两" if digit == 2 and unit == "千" and not said else "零一二三四五六七八九"[digit]
            said += ("零" if skipped and said else "") + two + unit
        skipped = not digit
    return said


def _plain(code: str, value: int, to: str) -> str:
    if code == "zh":
        return _chinese(value)
    if code == "ja" and value == 0:
        return "ゼロ"
    from num2words import num2words  # not wanted where DAG files are read

    said: str = num2words(value, lang=code, to=to).replace(",", "")
    if code == "es":  # veintiún mil, treinta y un millones
        said = re.sub(r"uno(?= mil)", "un", said).replace("veintiun mil", "veintiún mil")
    return said.replace(" and ", " ") if code == "en" else said
