"""Dates, weekdays, years and centuries in Russian and Ukrainian, cut short: 1 дек., сб 10:00, XIX в."""

# ruff: noqa: RUF001, RUF002, RUF003  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Rule, ordinal
from avatarlab_ops.reading.slavic import day as day_of
from avatarlab_ops.reading.slavic import genitive

_LATIN = str.maketrans("ХІ", "XI")  # as Cyrillic keyboards have them
_LIFE = 150  # years between two that stand in brackets as of a life or a reign
_MONTHS = (
    "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря|"
    "січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня"
)


# What decimals count, so that they are no date: до 10.12 кг.
_COUNTED = (
    "кг|мг|км|м|см|мм|л|мл|мин|хв|сек|га|кВт|Вт|ГБ|МБ|ТБ|ГГц|МГц|Гц|млн|млрд|тыс|тис|раз[аиів]?|рази|руб\\w*|грн|грив\\w*|"
    "коп\\w*|евро|євро|дол+ар\\w*|процент\\w*|відсотк\\w*|бал+\\w*|секунд\\w*|минут\\w*|хвилин\\w*|метр\\w*|"
    "л[иі]тр\\w*|тон+\\w*|градус\\w*|к[иі]лог?рам+\\w*|к[иі]ло\\w+|верс\\w*|м[²³]|миллион\\w*|мільйон\\w*"
)


_UNTIL = {"ого": "ое", "его": "е", "ього": "є"}  # пятого: пятое
_INCLUSIVE = re.compile(r"(ого|его|ього)(?= \w+$)")


def years(code: str, words: tuple[str, str], within: tuple[str, Mapping[str, str]]) -> Rule:
    """(1606-1669), 1941-1945 гг.: two years, and the words for them; `within`: what asks for the second."""
    before, endings = within

    def say(match: re.Match[str]) -> str | None:
        first, last = int(match[1] or match[4]), int(match[2] or match[5])
        if not 1100 <= first < last < 2100 or (match[1] and last - first > _LIFE):
            return None
        asked = match[3] or ""
        of = endings if asked else {}
        said = ", ".join(genitive(ordinal(code, value), of) for value in (first, last))
        return f"{asked}{said} {words[bool(asked)]}" + "." * (match.end() == len(match.string))

    number = r"([12]\d{3}) ?[-–] ?([12]\d{3})"
    life = rf"(?<=\(){number}(?: ?(?:гг|рр)\.)?(?=\))"
    named = rf"((?<!\w)(?:{before}) )?(?<![\w.,–-]){number} ?(?:гг|рр)\.(?!\w)"
    return Rule("years", re.compile(rf"{life}|{named}"), say)


def short_dates(
    code: str,
    months: Mapping[str, str],
    locative: tuple[str, Mapping[str, str]],
    of: Mapping[str, str],
    year: str,
) -> tuple[Rule, ...]:
    """1 дек., в окт. 1998: months cut short; `locative`: after which words, and as they stand there."""
    within, inside = locative
    known = "|".join(sorted(months, key=len, reverse=True))

    def ended(match: re.Match[str]) -> str:
        return "." * (match.end() == len(match.string))

    def date(match: re.Match[str]) -> str | None:
        if not 1 <= int(match[1]) <= 31:
            return None
        said = day_of(code, int(match[1]), match.string[: match.start()], of)
        said = f"{said} {months[match[2].lower()]}"
        if match[3]:
            said = f"{said} {genitive(ordinal(code, int(match[3])), of)} {year}"
        return said + "." * (match[0].endswith(".") and match.end() == len(match.string))

    def month(match: re.Match[str]) -> str:
        return f"{match[1]} {inside[months[match[2].lower()]]}{ended(match)}"

    day = rf"(?<![\w.,])(\d{{1,2}}) ({known})\.(?:(?= |[,;)]|$))(?: ?([12]\d{{3}})(?!\d)(?: ?[гр]\.(?!\w))?)?"
    return (
        Rule("date", re.compile(rf"(?<!\w)({within}) ({known})\.(?= \d{{4}}|[\s,;)]|$)", re.I), month),
        Rule("date", re.compile(day, re.I), date),
    )


def dotted_dates(say: Callable[[int, int, int | None], str], before: str) -> Rule:
    """До 30.11: a day and a month with a point, which is no mark of decimals here."""
    pattern = (
        rf"(?<!\w)((?:{before}|по) )(\d{{1,2}})\.(\d{{2}})\.?(?![\d%]|\.\d|\w| ?[%₽₴€$°])"
        rf"(?!(?: (?:до|по) \d+(?:[.,]\d+)?)? (?:{_COUNTED})(?!\w))"
    )

    def date(match: re.Match[str]) -> str | None:
        named = re.search(r"[A-Za-z]\w* $|(?:верси|версі)\w+ $", match.string[: match.start()])
        if named or not (1 <= int(match[2]) <= 31 and 1 <= int(match[3]) <= 12):
            return None
        said = say(int(match[2]), int(match[3]), None)
        if match[1].lower() == "по ":  # с 10.05 по 15.05
            if not re.search(r"(?<!\w)[сз] \d{1,2}(?:\.\d\d)? $", match.string[: match.start()], re.I):
                return None
            said = _INCLUSIVE.sub(lambda m: _UNTIL[m[1]], said, count=1)
        return f"{match[1]}{said}" + "." * (match[0].endswith(".") and match.end() == len(match.string))

    return Rule("date", re.compile(pattern, re.I), date)


def days_alone(days: Mapping[str, str], within: Mapping[str, str]) -> tuple[Rule, ...]:
    """В пн, сб 10:00: a weekday cut short before a date or an hour; after в in the accusative."""
    known = "|".join(days)

    def before(match: re.Match[str]) -> str | None:
        """Ср 10:00; but ср. 12-15 compares."""
        compared = match[0].lower() == "ср." and not re.match(r",? \d{1,2}:", match.string[match.end() :])
        return None if compared else days[match[1].lower()].split(":")[0]

    def after(match: re.Match[str]) -> str:
        day = days[match[2].lower()].split(":")[2]
        return f"{within.get(match[2].lower(), match[1])} {day}"

    ends = r"(?=\.?(?:,? \d|,? [сзвоу] \d|[,;)]|$))\.?"
    dated = rf"(?=,? \d{{1,2}}(?::\d\d|[-–]\d| (?:{_MONTHS}))|,? [сз] \d{{1,2}}:)"
    return (
        Rule("weekday", re.compile(rf"(?<!\w)([ВвУу]о?) ({known}){ends}"), after),
        Rule(
            "weekday",
            re.compile(rf"(?<!\w)({known})\.?{dated}", re.I),
            before,
        ),
    )


def centuries(
    code: str, short: str, within: str, words: tuple[str, ...], of: tuple[Mapping[str, str], ...]
) -> Rule:
    """XIX в.: век, века, веке by what stands before; `words` and `of` in this order of cases."""

    def say(match: re.Match[str]) -> str | None:
        value = numbers.roman(match[2].translate(_LATIN))
        if not value:
            return None
        before = match[1] or ""
        asked = before.strip()
        case = 2 if re.fullmatch(within, asked) else 3 if re.fullmatch("[Кк]о?", asked) else int(bool(asked))
        stop = "." if match.end() == len(match.string) else ""
        return f"{before}{genitive(ordinal(code, value), of[case])} {words[case]}{stop}"

    return Rule(
        "century",
        re.compile(rf"((?<!\w)[^\W\d_]+ )?(?<![\w-])([IVX]+|[IVXХІ]{{2,}}) {short}\.(?!\w)(?! ?\d)"),
        say,
    )
