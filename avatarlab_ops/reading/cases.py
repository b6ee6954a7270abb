"""Russian and Ukrainian numbers in the genitive, after prepositions that ask for it: до 25 стран, с 9:00.

Whole numbers, decimals (до 2,5 кг), those below zero, and both ends of a range of times.
"""

# ruff: noqa: RUF001, RUF002  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import slavic
from avatarlab_ops.reading.language import Language, Rule, genitive

_BIGGEST = 999_999_999
_UNIT = r"[ \u00a0]?(?P<unit>руб\.|р\.|шт\.|мес\.|міс\.|мин\.|хв\.|сек\.|мм рт\. ст\.|[^\s\d,;:!?().]+)"
_SCALES = ("млн", "млрд", "трлн", "тыс", "тис", "миллион", "мільйон", "тысяч", "миллиард", "мільярд")


def counted_words(language: Language) -> Mapping[str, str]:
    """What units and money are called, with their endings, by their symbols."""
    units = {symbol: many for symbol, (_, many) in language.units.items()}
    return units | {symbol: money.many for symbol, money in language.money.items()}


def genitives(
    language: Callable[[], Language],
    code: str,
    always: str,
    mostly: str,
    *,
    clock: tuple[str, str],
    scales: Mapping[str, str],
) -> tuple[Rule, ...]:
    """Whole numbers and times after a preposition, with their unit.

    `always` ask for the genitive, `mostly` unless an instrumental follows (с 5 друзьями), both joined by |;
    `clock`: the words for hour and minute with their endings; `scales`: those of thousands and millions.
    """
    before = rf"(?<!\w)(?P<before>(?i:{always}|{mostly})) "
    number = (
        r"(?P<sign>[-\u2212]?)(?P<number>[1-9]\d{0,2}(?:[ \u00a0]\d{3})+|\d{1,8},\d{1,3}|[1-9]\d{0,8})"
        r"(?![\w:/-]|[.,]\d|[ \u00a0]?[–-])"
    )
    apart = rf"(?![ \u00a0](?i:{always}|{mostly})(?!\w))"  # от 5 до 10 кг: the second preposition is no unit
    time = r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?![\w:])"
    span = r"(?<![\w:.,])(\d{1,2}):([0-5]\d) ?[-–] ?(\d{1,2}):([0-5]\d)(?![\w:])"
    money = r"(?:[ \u00a0]?(?P<money>[₽₴€$£]|руб\.|грн(?!\w)))?"
    scale = rf"[ \u00a0](?P<scale>{'|'.join(map(re.escape, scales))})(?!\w){money}"

    def words() -> Mapping[str, str]:
        return counted_words(language())

    def measured(match: re.Match[str]) -> str | None:
        what = words().get(match["unit"])
        return what and _counted(match, language(), what)

    def scaled(match: re.Match[str]) -> str | None:
        said = _counted(match, language(), scales[match["scale"]])
        return said and (f"{said} {slavic.inflected(words()[match['money']], 3)}" if match["money"] else said)

    def counted(match: re.Match[str]) -> str | None:
        after = re.match(_UNIT, match.string[match.end() :])
        noun = after["unit"] if after else ""
        instrumental = noun.endswith("ми") and re.fullmatch(mostly, match["before"], re.I)
        if noun.partition("/")[0] in words() or noun.startswith(_SCALES) or instrumental:
            return None
        return _number(match, language())

    return (
        Rule("time", re.compile(span), lambda match: _between(match, code, clock)),
        Rule("time", re.compile(before + time), lambda match: _timed(match, code, clock)),
        Rule("scale", re.compile(before + number.replace(r"\w:/-", r"\d:/-") + scale), scaled),
        Rule(
            "measure",
            re.compile(before + number.replace(r"\w:/-", r"\d:/-") + apart + _UNIT + r"(?!\w|\.?/)"),
            measured,
        ),
        Rule(
            "of",
            re.compile(r"(?<=\d )(из|із|з) ([1-9]\d{0,2})(?=$|[.,:;!?)](?!\d))"),
            lambda match: f"{match[1]} {genitive(code, int(match[2]))}",  # Урок 3 из 10
        ),
        Rule("counted", re.compile(before + number), counted),
    )


def _number(match: re.Match[str], language: Language) -> str | None:
    """The preposition and the number; None where the gender of a last one is not known."""
    whole, _, part = re.sub(r"\s", "", match["number"]).partition(",")
    code = "uk" if language.code == "uk" else "ru"
    sign = f"{language.minus} " if match["sign"] else ""
    if part:
        said = slavic.decimals_of(code, whole, part)
        return said and f"{match['before']} {sign}{said}"
    if int(whole) > _BIGGEST:
        return None
    if slavic.is_one(whole):
        gender = _gender(match.string[match.end() :])
        if not gender:
            return None
        return f"{match['before']} {sign}{genitive(code, int(whole), gender == 'feminine')}"
    return f"{match['before']} {sign}{genitive(code, int(whole))}"


def _gender(after: str) -> str:
    """That of a noun in the genitive singular, which its ending tells: из 21 страны, для 1 участника."""
    noun = re.match(
        r" (?:[а-яёіїєґ]+(?:ого|его|ої|ої) |[а-яёіїєґ]+(?:ой|ей|ого|его|ьої|ого) )?([а-яёіїєґ]{3,})(?!\w)",
        after,
    )
    if not noun:
        return ""
    return {**dict.fromkeys("ыиії", "feminine"), **dict.fromkeys("ая", "masculine")}.get(noun[1][-1], "")


def _counted(match: re.Match[str], language: Language, what: str) -> str | None:
    """A number in the genitive with what is counted, whose gender is known: до одного километра."""
    code = "uk" if language.code == "uk" else "ru"
    digits = re.sub(r"\s", "", match["number"])
    if "," in digits:
        said = _number(match, language)
        plural = said and said.endswith("полутора")  # полутора килограммов
        return said and f"{said} {slavic.inflected(what, 3) if plural else slavic.of_part(code, what)}"
    if not slavic.is_one(digits):
        said = _number(match, language)
        return said and f"{said} {slavic.inflected(what, 3)}"
    if int(digits) > _BIGGEST:
        return None
    feminine = slavic.inflected(what, 1).split()[0][-1] in "ая"
    sign = f"{language.minus} " if match["sign"] else ""
    return f"{match['before']} {sign}{genitive(code, int(digits), feminine)} {slavic.of_part(code, what)}"


def _timed(match: re.Match[str], code: str, clock: tuple[str, str]) -> str | None:
    if int(match["hour"]) > 24:
        return None
    return f"{match['before']} {_clock(code, int(match['hour']), int(match['minute']), clock)}"


def _between(match: re.Match[str], code: str, clock: tuple[str, str]) -> str | None:
    if int(match[1]) > 24 or int(match[3]) > 24:
        return None
    told = re.search(r"(?:^|\s)[сз] $", match.string[: match.start()], re.I)
    since = "" if told else "с" if code == "ru" else "з"
    first, last = (_clock(code, int(match[n]), int(match[n + 1]), clock) for n in (1, 3))
    return f"{since} {first} до {last}".strip()


def _clock(code: str, hour: int, minute: int, clock: tuple[str, str]) -> str:
    values = zip((hour, minute), clock, strict=True)
    return " ".join(_part(code, value, what) for value, what in values if value or what == clock[0])


def _part(code: str, value: int, what: str) -> str:
    one = value % 10 == 1 and value != 11
    feminine = slavic.inflected(what, 1)[-1] == "а"
    return f"{genitive(code, value, feminine)} {slavic.inflected(what, 2 if one else 3)}"
