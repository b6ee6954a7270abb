"""German prices of a piece or a person (€/Stk., 10 $/Pers.), and the same abbreviations elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from avatarlab_ops.reading import german_ordinals, romance
from avatarlab_ops.reading.german_packs import MONTHS
from avatarlab_ops.reading.language import Rule, cardinal, ordinal, year

_APIECE = {"St": "pro Stück", "Stk": "pro Stück", "Pers": "pro Person"}
_PARTS = {"Abschn": "Abschnitt", "Anh": "Anhang", "Anl": "Anlage", "Bd": "Band"}
_OFTEN = r"(?:täglich|wöchentlich|monatlich|jährlich|pro|am Tag|im (?:Jahr|Monat)|in der Woche)\b"
_ELSEWHERE = {"st.": "Sankt", "stk.": "Stück", "pers.": "Personen"}
_AFTER_MONEY = re.compile(r"(?:[€$£¥]|EUR|CHF|Euro) ?/ ?$")
_AFTER_WORD = re.compile(r"[\w.] ?/ ?$")
# A number with what it counts: rules of amounts read it together with what follows its stroke.
_AMOUNT = re.compile(r"\d\s?(?:M(?:io|rd)\.?\s)?(?:[^\W\d_]+\.?|[€$£¥])?$")


def rules() -> Iterator[Rule]:
    """Rules that go before those of amounts."""
    yield Rule("care", re.compile(r"(?<![\w/])c/o(?![\w/])"), lambda _: "bei")
    part = re.compile(r"(?<![\w.])(Abschn|Anh|Anl|Bd)\.(?= ?(?:\d|[A-Z](?!\w)|[IVX]+(?!\w)))")
    yield Rule("part", part, lambda m: _PARTS[m[1]])
    yield Rule("often", re.compile(rf"(?<![\w.,])(\d{{1,2}}) ?x (?={_OFTEN})"), _often)
    clock = re.compile(r"(?<=\b[Uu]m )(\d{1,2}) ?h(?![\w/])")
    yield Rule("clock", clock, lambda m: "ein Uhr" if m[1] == "1" else f"{cardinal('de', int(m[1]))} Uhr")
    before = r"(?:(?<!\w)(?P<before>(?i:am|vom|zum|dem|den|des|der|ab|bis|seit)) )?"
    date = r"(?<![\w.,])(?P<day>\d{1,2})\. (?P<month>\d{1,2})\. (?P<year>(?:19|20)\d\d)(?!\w)"
    spaced = re.compile(before + date)
    yield Rule("date", spaced, _date)
    yield Rule("letter", re.compile(r"(?<![\w.])[Ll]it\.(?= ?[a-z](?!\w))"), lambda _: "Buchstabe")
    yield Rule("per", re.compile(r" ?/ ?(?P<name>Stk?|Pers)\.(?!\w)"), _apiece)
    short = romance.shortened(_ELSEWHERE, r"(?<![\w.])(?=(?-i:[PS])){}(?!\w)")
    yield short._replace(say=lambda m: None if _is_of_a_piece(m) else short.say(m))


def _date(match: re.Match[str]) -> str | None:
    """Am 5. 3. 2026."""
    day, month = int(match["day"]), int(match["month"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    said = f"{ordinal('de', day)}{german_ordinals.ending(match['before'])} {MONTHS[month - 1]}"
    return " ".join(filter(None, (match["before"], said, year("de", int(match["year"])))))


def _often(match: re.Match[str]) -> str:
    """1 x täglich."""
    return "einmal" if match[1] == "1" else f"{cardinal('de', int(match[1]))} mal"


def page(match: re.Match[str]) -> str:
    """S. 12, and of a law § 5 Abs. 1 S. 2."""
    before = match.string[max(0, match.start() - 30) : match.start()]
    return "Satz" if re.search(r"(?:\bAbs\.|Absatz|§) ?\d+[a-z]? $", before) else "Seite"


def _apiece(match: re.Match[str]) -> str | None:
    """Preis in €/Stk., 10,- €/St."""
    if _AMOUNT.search(match.string[: match.start()]) or not _is_of_a_piece(match):
        return None
    return _APIECE[match["name"]] + "." * (match.end() == len(match.string))


def _is_of_a_piece(match: re.Match[str]) -> bool:
    """Whether the stroke before the abbreviation is "pro"; not in Basel/St. Gallen."""
    before, after = match.string[: match.start("name")], match.string[match.end() :]
    saint = match["name"].rstrip(".") == "St" and re.match(" [A-ZÄÖÜ]", after)
    return bool(_AFTER_MONEY.search(before) or (_AFTER_WORD.search(before) and not saint))
