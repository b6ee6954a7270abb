"""Russian and Ukrainian numbers whose form what is around tells: с 1 по 5 мая, II кв. 2024, 3-х."""

# ruff: noqa: RUF001, RUF002  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Mapping

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Rule, ordinal
from avatarlab_ops.reading.language import genitive as declined
from avatarlab_ops.reading.slavic import genitive

_LATIN = str.maketrans("ХІ", "XI")
_ROMAN = r"(?:[IVX]+|[IVXХІ]{2,})"
_INCLUSIVE = {"ru": {"ый": "ое", "ий": "ье", "ой": "ое"}, "uk": {"ий": "е", "ій": "є"}}
_SINCE = {"ru": ("с", "со"), "uk": ("з", "із")}
_QUARTERS = {
    "ru": ("квартал", "квартала", "квартале", "кварталу", "года"),
    "uk": ("квартал", "кварталу", "кварталі", "кварталу", "року"),
}
# Part 1 of an article; but 9 ч. 30 мин. are hours.
PART_BEFORE_NUMBER = r"(?<![\w.])(?<!\d[ \u00a0\u202f]){}(?= ?\d)"
_PAID = r"(?:руб|грн|тыс|тис|млн|долл|евро|євро|[₽₴€$])"
_PART = r"(?:до|от|с|со|из|после|від|з|із|зі|після)"


def roman(text: str) -> int | None:
    """The value of a Roman numeral, of which Х and І may be Cyrillic letters."""
    return numbers.roman(text.translate(_LATIN))


def days(code: str, months: tuple[str, ...], of: Mapping[str, str]) -> tuple[Rule, ...]:
    """С 1 по 5 мая, 1–5 мая: the first of two days; the second is a date."""
    known = "|".join(months)
    since = "|".join(_SINCE[code])

    def first(match: re.Match[str]) -> str | None:
        return genitive(ordinal(code, int(match[1])), of) if 1 <= int(match[1]) <= 31 else None

    def between(match: re.Match[str]) -> str | None:
        begin, end = int(match[1]), int(match[2])
        told = re.search(
            r"(?<!\w)(?:на|до|от|к|ко|по|за|с|з|із|від|про|о|об|у|в|между|течение|кроме|около|после|для|"
            r"між|протягом|крім|близько|після) $",
            match.string[: match.start()],
            re.I,
        )
        if told or not 1 <= begin < end <= 31:
            return None
        last = genitive(ordinal(code, end), _INCLUSIVE[code])
        return f"{_SINCE[code][0]} {genitive(ordinal(code, begin), of)} по {last}"

    looks = "|".join(rf"(?<=\b{word[0].upper()}{word[1:]} )|(?<=\b{word} )" for word in since.split("|"))
    return (
        Rule("date", re.compile(rf"(?:{looks})(\d{{1,2}})(?= (?:по|до) \d{{1,2}} (?:{known})(?!\w))"), first),
        Rule(
            "date",
            re.compile(rf"(?<![\w.,:/–-])(\d{{1,2}}) ?[-–] ?(\d{{1,2}})(?= (?:{known})(?!\w))"),
            between,
        ),
    )


def quarters(code: str, cases: tuple[Mapping[str, str], ...]) -> Rule:
    """3 кв. 2025 г., в II кв.: not a flat. `cases`: endings in nominative, genitive, locative, dative."""
    short = "г" if code == "ru" else "р"

    def say(match: re.Match[str]) -> str | None:
        value = roman(match[2]) if not match[2].isdecimal() else int(match[2])
        if not value or value > 4 or (match[2].isdecimal() and not match[3]):
            return None
        before = match[1] or ""
        asked = before.strip().lower()
        case = (
            2
            if asked in ("в", "во", "у")
            else 3
            if asked in ("к", "ко")
            else int(re.fullmatch(_PART, asked) is not None)
        )
        *names, of_year = _QUARTERS[code]
        said = f"{before}{genitive(ordinal(code, value), cases[case])} {names[case]}"
        if match[3]:
            said += f" {genitive(ordinal(code, int(match[3])), cases[1])} {of_year}"
        return said + "." * (match[0].endswith(".") and match.end() == len(match.string))

    before = rf"((?<!\w)(?:[Вв]о?|[Уу]|[Кк]о?|(?i:{_PART})) )?"
    year = rf"(?: ([12]\d{{3}})(?!\d)(?! ?{_PAID})(?: ?{short}\.(?!\w)| (?:года|року)(?!\w))?)?"
    return Rule(
        "quarter",
        re.compile(rf"{before}(?<![\w.,-])([1-4]|{_ROMAN}) кв\.(?! ?(?:[кс]?м|метр|\d{{1,3}}(?!\d)))" + year),
        say,
    )


def short_numbers(code: str) -> Rule:
    """3-х is трёх, 5-ти пяти."""

    def say(match: re.Match[str]) -> str | None:
        value, last = int(match[1]), int(match[1]) % 10
        few = last in (2, 3, 4) and value % 100 not in (12, 13, 14)
        return declined(code, value) if few == (match[2] == "х") else None

    return Rule("declined", re.compile(r"(?<![\w.,–-])([1-9]\d{0,2})-(х|ти)(?!\w)"), say)


def wars(code: str, word: str, endings: Mapping[str, Mapping[str, str]]) -> Rule:
    """II мировая, II світової: `endings` of the ordinal by those of the word."""

    def say(match: re.Match[str]) -> str | None:
        value = roman(match[1])
        return genitive(ordinal(code, value), endings[match[2]]) if value else None

    known = "|".join(sorted(endings, key=len, reverse=True))
    return Rule("roman", re.compile(rf"(?<![\w-])({_ROMAN})(?= {word}({known})(?!\w))", re.I), say)


def since_years(code: str, of: Mapping[str, str], word: str, short: str) -> Rule:
    """С 1939 по 1945 г.: the first year in the genitive, the second and its word in the accusative."""

    def say(match: re.Match[str]) -> str:
        first, last = genitive(ordinal(code, int(match[1])), of), ordinal(code, int(match[2]))
        return f"{first} по {last} {word}" + "." * (match.end() == len(match.string))

    looks = r"(?:(?<=\b[Сс] )|(?<=\b[Зз] ))"
    return Rule("years", re.compile(rf"{looks}([12]\d{{3}}) по ([12]\d{{3}}) ?{short}{{1,2}}\.(?!\w)"), say)


def pages(code: str) -> Rule:
    """На стр. 12: the case that на asks for."""
    one, many = {"ru": ("странице", "страницах"), "uk": ("сторінці", "сторінках")}[code]

    def say(match: re.Match[str]) -> str:
        return many if re.match(r" ?\d+ ?(?:[-–]|и|і|та) ?\d", match.string[match.end() :]) else one

    return Rule("pages", re.compile(r"(?<=\b[Нн]а )(?:стор|стр|с)\.(?= ?\d)"), say)


def centuries_before(code: str, words: Mapping[str, Mapping[str, str]]) -> Rule:
    """У XXI столітті: the ordinal with the endings that the word after it asks for."""

    def say(match: re.Match[str]) -> str | None:
        value = roman(match[1])
        return genitive(ordinal(code, value), words[match[2]]) if value else None

    return Rule("century", re.compile(rf"(?<![\w-])({_ROMAN})(?= ({'|'.join(words)})(?!\w))"), say)
