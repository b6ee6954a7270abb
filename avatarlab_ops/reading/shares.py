"""Two numbers with a stroke or a dash between: shares, seasons, ranges, subtractions, by what is around."""

# ruff: noqa: RUF001, RUF002  (typographic characters and Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Iterable

from avatarlab_ops.reading import moments, numbers, titles
from avatarlab_ops.reading.language import Language, Rule, genitive
from avatarlab_ops.reading.numbers import NUMBER

_BLOOD = re.compile(
    r"\b(?:blood pressure|BP(?= (?:was|is|of|at)\b| ?$|:)|blutdruck|tension|tensión|presión|pressione|"
    r"pressão|давлени\w+|тиск\w*)\b"
    r".{0,12}$",
    re.I,
)
_PLAIN = re.compile(  # 1/100 of, 1/30 second, 1/2 cup
    r" (?:of|inch(?:es)?|seconds?|scale|size|cups?|miles?|s|sec|way|full|done|hours?|pounds?|lbs?|oz|ounces?|"
    r"tsp|tbsp|(?:tea|table)spoons?|feet|foot|yards?|acres?)\b"
)
_ENGLISH_NOTE = re.compile(r"\bnotes?[ :]+$", re.I)  # no mark, as it is in French
# 8/10 to pass, 5/5 stars; I scored 8/10.
_POINTS = re.compile(r" (?:to pass|correct|right|points?|stars?|marks|or (?:more|higher|better|above))\b")
_GAINED = re.compile(
    r"\b(?:needs?|scor(?:e[sd]?|ing)|gets?|got|gives?|gave|rated|earn(?:s|ed)?|at least) (?:it |a |an )?$",
    re.I,
)
_PEOPLE = re.compile(r" (?:[a-z]+s|chance|people|men|women)\b")
_WHOLES = frozenset({5, 10, 20, 30, 50, 100})
_MATHS = re.compile(r"[=≈≤≥≠<>÷√×*^²³]|\d ?\+ ?\d")
_SCORED = re.compile(
    r"\b(?:scores?|won|wins?|beat|lost|loses?|draw|drew|final|game|match|result|tied|led|leads|"
    r"endete|gewann\w*|gewinn\w*|verlor\w*|spiel|ergebnis|siegte|gagn\w+|perd\w+|résultat|score|"
    r"gan\w+|partido|marcador|resultado|vin\w+|risultato|partita|placar|venceu|jogo|"
    r"сч[её]т|матч|победи\w*|рахунок|перем\w+)\b",
    re.I,
)
_CLOCK = re.compile(r"(?:\d[:h]\d\d|\d ?h|[ap]\.? ?m\.?)$", re.I)
_NEAR = 300  # characters on either side that are looked at
_LAST = re.compile(rf"({NUMBER})\D{{0,8}}$")
_FIRST = re.compile(rf"\D{{0,3}}({NUMBER})")


def rules(language: Language) -> Iterable[Rule]:
    """Rules that go before a language's fractions and dates, which would misread these."""
    yield Rule(
        "season", re.compile(r"(?<![\w./-])((?:1[89]|20)\d\d)/(\d{4}|\d\d)(?![\w/-])"),
        lambda m: _season(m, language),
    )  # fmt: skip
    yield Rule(
        "always", re.compile(r"(?<![\w./])24/7(?!\w|/(?!365)|[.,]\d)"),
        lambda _: f"{language.number(24)} {language.number(7)}",
    )  # fmt: skip
    halves = re.compile(r"(?<![\w./,-])(\d{1,3})(?: ?½| 1/2(?![\w/]))")
    yield Rule("half", halves, lambda m: language.half(int(m[1])) if language.half else None)
    arc = r"(\d{1,3}) ?° ?(\d{1,2}) ?['’′](?: ?(\d{1,2}(?:[.,]\d+)?) ?(?:[\"”″]|['′]{2}))?"
    yield Rule("arc", re.compile(rf"(?<![\w.,]){arc}"), lambda m: _arc(m, language))
    if not language.out_of:
        return
    parts = rf"(?<![\w./,:-])({NUMBER})/({NUMBER})(?![\w/%]|:\S|[.,]\d)"
    yield Rule("over", re.compile(rf"{parts} ?(mm ?Hg|мм рт\. ?ст\.?)"), lambda m: _pressure(m, language))
    yield Rule("share", re.compile(parts), lambda m: _share(m, language))


def _arc(match: re.Match[str], language: Language) -> str:
    """40°42′46″: degrees, minutes and seconds."""
    said = []
    for text, unit in zip(match.groups(), ("°", "min", "s"), strict=True):
        if text:
            one, many = language.units[unit]
            number = numbers.say(text.lstrip("0") or "0", language) or text
            what = one if numbers.is_one(text, language) else many
            said.append(f"{language.agree(number, what)} {language.form(number, what)}")
    return " ".join(said)


def _season(match: re.Match[str], language: Language) -> str | None:
    """2019/20: two years, one after the other."""
    first, last = int(match[1]), int(match[2])
    if (first + 1) % 100 != last % 100 or (len(match[2]) == 4 and last != first + 1):
        return None
    return f"{language.year(first)} {language.year(last) if len(match[2]) == 4 else language.number(last)}"


def _share(match: re.Match[str], language: Language) -> str | None:
    """4.5/5, 85/100, and after a word that asks for it 3/4 and 8/10."""
    part, whole = (numbers.value(match[n], language) for n in (1, 2))
    if part is None or whole is None:
        return None
    word = _told(match, part, whole, language)
    return None if word is None else _joined(match, word, language)


def _told(match: re.Match[str], part: float, whole: float, language: Language) -> str | None:
    """The word between the two, which may be ""; None where they are a fraction, a date or nothing known."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    dated = moments.dates(before) and _is_day(part, whole, language)
    if dated and whole != 10:
        return None
    if _BLOOD.search(before):
        return language.over
    if not dated and _is_counter(match, part, whole):  # Día 7/10: inicio
        return language.out_of
    if part + whole == 100 and match[1].isdigit() and part >= 10:  # the 80/20 rule
        return ""
    if language.code == "en" and (_PLAIN.match(after) or _ENGLISH_NOTE.search(before)):
        return None
    likely = not after.startswith(":") and (  # 3/20: may be a day, and a list of days begins so
        _is_gained(match, whole, language) or _is_share(match, part, whole, language)
    )
    told = titles.shared(before) or _is_numbered(match) or likely
    return language.out_of if part <= whole and told else None


def _is_counter(match: re.Match[str], part: float, whole: float) -> bool:
    """Whether it counts the pieces of a course: Question 3/4; of a year is Woche 12/2026."""
    if part > whole or not all(re.fullmatch(r"\d{1,3}", match[n]) for n in (1, 2)):
        return False
    return titles.counts(match.string[: match.start()], match[1], match.string[match.end() :])


def _is_numbered(match: re.Match[str]) -> bool:
    """Whether it counts chapters or questions within a sentence; Chapter 9/11 is about that day."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return match[0] != "9/11" and titles.numbered(before, after)


def _is_gained(match: re.Match[str], whole: float, language: Language) -> bool:
    """Whether it is a mark by the English words around it."""
    if language.code != "en" or whole not in _WHOLES:
        return False
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(_POINTS.match(after) or (_GAINED.search(before) and not re.match(r" [a-z]", after)))


def _is_day(first: float, second: float, language: Language) -> bool:
    """Whether both may be a day and a month, in any order where the language has the month first."""
    month, day = (second, first) if language.day_first else sorted((first, second))
    return month <= 12 and day <= 31 and not (first % 1 or second % 1)


def _is_share(match: re.Match[str], part: float, whole: float, language: Language) -> bool:
    """Whether it is one by its numbers; 20/20 vision and el 5/10 are none."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if language.code == "en" and part == 1 and not _PEOPLE.match(after):
        return False
    if (part == whole and language.code == "en") or (whole == 10 and moments.dates(before)):
        return False
    return whole in _WHOLES and bool(part % 1 or whole in (20, 30, 100) or _people(match, language))


def _pressure(match: re.Match[str], language: Language) -> str | None:
    said = _joined(match, language.over, language)
    unit = language.units.get(match[3]) or language.units.get("mmHg", ("", match[3]))
    return said and f"{said} {language.form(said, unit[1])}"


def _people(match: re.Match[str], language: Language) -> bool:
    """9/10 dentists: of so many; elsewhere than in English a tenth has no figures."""
    if language.code != "en":
        return numbers.value(match[2], language) == 10
    return match[2] == "10" and re.match(r" [a-z]+s\b", match.string[match.end() :]) is not None


def _joined(match: re.Match[str], word: str, language: Language) -> str | None:
    first, last = numbers.say(match[1], language), numbers.say(match[2], language)
    if word == language.out_of and language.code in ("ru", "uk") and match[2].isdecimal():
        last = genitive(language.code, int(match[2]))
    return first and last and " ".join(filter(None, (first, word, last)))


def joint(before: str, after: str, language: Language) -> str:
    """The word for a dash with spaces between two numbers: "minus" in a calculation, else "to".

    Lesson 1 - 5 tips is a title with its number, and has a pause.
    What goes down is a subtraction, unless it is a score or a time.
    """
    before, after = before[-_NEAR:], after[:_NEAR]
    named = language.months and re.search(rf"\b(?:{'|'.join(language.months)}) \d+$", before)
    if (titles.titled(before) or named) and re.match(r"\d+(?: [^\W\d_]| ?[%€$£])", after):
        return ","
    if _CLOCK.search(before):
        return language.to
    if _MATHS.search(before) or _MATHS.search(after):
        return language.minus
    first, last = _LAST.search(before), _FIRST.match(after)
    start, end = (numbers.value(found[1], language) if found else None for found in (first, last))
    if _SCORED.search(before):
        return language.to if language.ratio is None else language.ratio
    falls = start is not None and end is not None and start >= end
    if falls or not (first and last):
        return language.minus if falls else language.to
    return numbers.between(first[1], last[1], language)
