"""Money, percentages and measures: a number, or two with a dash, and what is counted."""

# ruff: noqa: RUF001  (typographic characters are what these rules are about)

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Language, Money, Rule
from avatarlab_ops.reading.numbers import NUMBER, SIGN

_SIGN = rf"(?P<sign>{SIGN})"
_FIRST = rf"(?:(?P<first>{NUMBER})\s?[-–]\s?)?"
_NUMBER = rf"(?P<number>{NUMBER})"


def rules(language: Language) -> Iterable[Rule]:
    """Money before measures: "$3.5m" is no length."""
    unit, symbol = _any(language.units), _any(language.money)
    first = rf"(?:(?P<first>{NUMBER})\s?[-–]\s?(?:{symbol})?)?"
    big = rf"(?:[\s-]?(?P<scale>{_any(language.scales)})(?![^\W_]))?"
    per = rf"(?:\s?/\s?(?P<per>(?:{unit})(?![^\W_])|[^\W\d_¼-¾⅐-⅞]+))?"
    before = rf"(?P<symbol>{symbol})\s?{first}{_NUMBER}{big}{per}(?!\d)"
    after = rf"{_FIRST}{_NUMBER}{big}\s?(?P<symbol>{symbol})(?!\w){per}"
    measure = rf"{_FIRST}{_NUMBER}\s?(?P<unit>{unit})(?:/(?P<per>{unit}))?(?![^\W_]|[-'’][^\W\d_])"
    scientific = rf"{_NUMBER}(?:e|E(?=[-+\u2212]))(?P<power>[-+\u2212]?\d{{1,3}})(?!\w|[.,]\d)"
    for kind, pattern, say in (
        ("scientific", rf"{scientific}(?:\s?(?P<unit>{unit})(?![^\W_]))?", _scientific),
        ("money", before, _money),
        ("money", after, _money),
        ("measure", measure, _measure),
    ):
        yield Rule(kind, re.compile(rf"(?<![\w.]){_SIGN}{pattern}"), functools.partial(say, language))

    # 5 kg-8 kg: the dash between two measures is "to", never a pause.
    counted, ends = rf"{NUMBER}\s?(?:{unit}|{symbol})(?![^\W_])", re.compile(rf"\d\s?(?:{unit}|{symbol})$")
    yield Rule(
        "range", re.compile(rf"[-–](?={counted})"),
        lambda m: language.to if ends.search(m.string[max(0, m.start() - 20) : m.start()]) else None,
    )  # fmt: skip


def _any(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _scientific(language: Language, match: re.Match[str]) -> str | None:
    """1.5e-9 m: one point five times ten to the power of minus nine meters."""
    said, power = (
        numbers.say(match["sign"] + match["number"], language),
        numbers.say(match["power"], language),
    )
    named = match["power"].isdigit() and match["number"].isdigit() and not match["unit"]
    if said is None or power is None or (named and re.match(r"[ -][^\W\d_]", match.string[match.end() :])):
        return None  # 1e2 room is a name
    many = f" {language.form(said, language.units[match['unit']][1])}" if match["unit"] else ""
    return f"{said} {language.signs['×']} {language.raised(language.number(10), power)}{many}"


def _measure(language: Language, match: re.Match[str]) -> str | None:
    said = _range(language, match, match["sign"])
    if said is None:
        return None
    one, many = language.units[match["unit"]]
    return _counted(language, said, one if _is_one(language, match) else many) + _per(language, match)


def _money(language: Language, match: re.Match[str]) -> str | None:
    said = _amount(language, match)
    sign = {"": "", "+": f"{language.plus} "}.get(match["sign"], f"{language.minus} ")
    return said and f"{sign}{said}{_per(language, match)}"


def _amount(language: Language, match: re.Match[str]) -> str | None:
    money, parts = language.money[match["symbol"]], numbers.split(match["number"], language.decimal)
    if parts is None:
        return None
    if match["scale"]:
        said = _range(language, match)
        scale = language.form(said or "", language.scales[match["scale"]])
        plain = scale in ("mille", "mil", "mila")
        of = "" if plain else language.of
        if plain and _is_one(language, match):  # a thousand has no one before it
            said, scale = "", scale.replace("mila", "mille")
        told = " ".join(word for word in (said, scale, of, language.form("", money.many)) if word)
        return told.replace(" de euros", " d'euros") if language.code == "fr" else told
    identifier = len(parts[0]) > 1 and parts[0][0] == "0"
    if match["first"] or len(parts[1]) > 2 or not money.part or identifier:
        said = _range(language, match)
        return said and _counted(language, said, money.one if _is_one(language, match) else money.many)
    return _coins(language, money, parts[0], int(parts[1].ljust(2, "0")))


def _coins(language: Language, money: Money, whole: str, cents: int) -> str:
    said = []
    if whole != "0" or not cents:
        said.append(_counted(language, language.spoken(whole), money.one if whole == "1" else money.many))
    if cents:
        said.append(_counted(language, language.number(cents), money.part if cents == 1 else money.parts))
    return f" {language.and_} ".join(said)


def _counted(language: Language, number: str, what: str) -> str:
    return f"{language.agree(number, what)} {language.form(number, what)}"


def _is_one(language: Language, match: re.Match[str]) -> bool:
    return match["first"] is None and numbers.is_one(match["number"], language)


def _range(language: Language, match: re.Match[str], sign: str = "") -> str | None:
    """The number, or from the first to it."""
    if match["first"] is None:
        return numbers.say(sign + match["number"], language)
    begin, end = numbers.say(sign + match["first"], language), numbers.say(match["number"], language)
    return begin and end and f"{begin} {language.to} {end}"


def _per(language: Language, match: re.Match[str]) -> str:
    if not match["per"]:
        return ""
    one, _ = language.units.get(match["per"], (match["per"], ""))
    return f" {language.per} {language.form('', one)}"
