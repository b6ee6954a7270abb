"""Russian and Ukrainian numbers in the genitive, after prepositions that ask for it: до 25 стран, с 9:00."""

# ruff: noqa: RUF001, RUF002  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import slavic
from avatarlab_ops.reading.language import Language, Rule, genitive

_BIGGEST = {"ru": 999_999_999, "uk": 999}  # num2words does not decline larger Ukrainian ones rightly
_UNIT = r"[ \u00a0]?(?P<unit>руб\.|р\.|[^\s\d,;:!?().]+)"
_SCALES = ("млн", "млрд", "тыс", "тис", "миллион", "мільйон", "тысяч", "миллиард", "мільярд")


def genitives(
    language: Callable[[], Language], code: str, always: str, mostly: str, clock: tuple[str, str]
) -> tuple[Rule, ...]:
    """Whole numbers and times after a preposition, with their unit.

    `always` ask for the genitive, `mostly` unless an instrumental follows (с 5 друзьями), both joined by |;
    `clock`: the words for hour and minute with their endings.
    """
    before = rf"(?<!\w)(?P<before>(?i:{always}|{mostly})) "
    number = r"(?P<number>[1-9]\d{0,2}(?:[ \u00a0]\d{3})+|[1-9]\d{0,8})(?![\w:/-]|[.,]\d|[ \u00a0]?[–-])"
    apart = rf"(?![ \u00a0](?i:{always}|{mostly})(?!\w))"  # от 5 до 10 кг: the second preposition is no unit
    time = r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?![\w:])"

    def words() -> Mapping[str, str]:
        spoken = language()
        units = {symbol: many for symbol, (_, many) in spoken.units.items()}
        return units | {symbol: money.many for symbol, money in spoken.money.items()}

    def measured(match: re.Match[str]) -> str | None:
        what, said = words().get(match["unit"]), _number(match, code)
        return said and what and f"{said} {slavic.inflected(what, 3)}"

    def counted(match: re.Match[str]) -> str | None:
        after = re.match(_UNIT, match.string[match.end() :])
        noun = after["unit"] if after else ""
        instrumental = noun.endswith("ми") and re.fullmatch(mostly, match["before"], re.I)
        if noun.partition("/")[0] in words() or noun.startswith(_SCALES) or instrumental:
            return None
        return _number(match, code)

    def timed(match: re.Match[str]) -> str | None:
        if int(match["hour"]) > 24:
            return None
        values = zip((int(match["hour"]), int(match["minute"])), clock, strict=True)
        return f"{match['before']} " + " ".join(
            _part(code, v, what) for v, what in values if v or what == clock[0]
        )

    return (
        Rule("time", re.compile(before + time), timed),
        Rule(
            "measure",
            re.compile(before + number.replace(r"\w:/-", r"\d:/-") + apart + _UNIT + r"(?!\w|\.?/)"),
            measured,
        ),
        Rule("counted", re.compile(before + number), counted),
    )


def _number(match: re.Match[str], code: str) -> str | None:
    value = int(re.sub(r"\s", "", match["number"]))
    if value > _BIGGEST[code] or (value % 10 == 1 and value % 100 != 11):  # of one the gender is not known
        return None
    return f"{match['before']} {genitive(code, value)}"


def _part(code: str, value: int, what: str) -> str:
    one = value % 10 == 1 and value != 11
    feminine = slavic.inflected(what, 1)[-1] == "а"
    return f"{genitive(code, value, feminine)} {slavic.inflected(what, 2 if one else 3)}"
