"""Full stops of abbreviations after which a sentence goes on, by what stands around them."""

# ruff: noqa: RUF001  (Cyrillic letters)

from __future__ import annotations

import re

# What lasts some time, in German.
_LASTING = (
    "zeit|pause|fahrt|fußweg|training|unterricht|arbeit|dauer|übung|video|vortrag|diskussion|verspätung|ruhe|schlaf|"
    "vorbereitung|präsentation|lektüre|theorie|praxis|sport|bewegung"
)
# What may follow some words of a language so that their full stop ends no sentence.
_BEFORE = tuple(
    (languages.split(), frozenset(words.split()), re.compile(following))
    for languages, words, following in (
        ("en", "inc incl excl ex plus", r"(?:VAT|GST|HST|P&P|tax)\b"),
        ("en", "etc", r"Acts? (?:of |(?:1[89]|20)\d\d)"),  # Health and Safety at Work etc. Act
        ("en", "App Ex Sect Para Ste Apt Bldg", r"[A-Z0-9](?!\w)"),
        ("en", "hr hrs", r"\d+ ?min"),
        ("fr", "art Art", r"[LRDA]\. ?\d"),
        ("it", "Reg reg Dir dir Dec", r"(?:UE|CE|CEE)\b"),
        ("pt it es", "bl all lett sez ap apto apdo esc", r"[A-Z](?!\w)"),
        ("de", "Std std h", r"\d+ ?Min"),
        ("uk", "год", r"\d+ ?(?:хв|сек)"),
        ("uk", "ч", r"\d"),
        ("uk ru", "т розд разд гл", r"[IVX]+(?!\w)"),
        ("uk", "грн", r"\d+ ?коп"),
        ("ru", "руб р", r"\d+ ?коп"),
        ("de", "min", r"\d"),
        ("de", "Abschn Anh Anl", r"[A-Z](?!\w)"),
        # 45 Min. Lernzeit
        ("de", "Min Std Sek", rf"(?i:\w*(?:{_LASTING}))\b(?! ?\d)"),
    )
)
_EXAMPLE = re.compile(r"(?:^|[\s(])p\. ?(?:ex|ej|es)\.$", re.I)  # p. ex. Paris
_COUNTED = re.compile(r"\d\s?\w+\.$")
_LEAST = frozenset(("min", "мин", "мін", "ч"))  # min. 8; but in 5 Min. 8 Personen
_TIMED = re.compile(r"\d+ ?(?:min|sek|sec|seg|мин|хв|сек)", re.I)  # 9 ч. 30 мин.
_DAYS = {
    "en": "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun",
    "de": "Mo|Di|Mi|Do|Fr|Sa|So",
    "fr": "[Ll]un|[Mm]ar|[Mm]er|[Jj]eu|[Vv]en|[Ss]am|[Dd]im",
    "es": "[Ll]un|[Mm]ar|[Mm]i[eé]|[Jj]ue|[Vv]ie|[Ss][aá]b|[Dd]om",
    "it": "[Ll]un|[Mm]ar|[Mm]er|[Gg]io|[Vv]en|[Ss]ab|[Dd]om",
    "pt": "[Ss]eg|[Tt]er|[Qq]ua|[Qq]ui|[Ss]ex|[Ss][áa]b|[Dd]om",
}
_DAY_TO_DAY = {
    code: re.compile(
        rf"(?<!\w)(?:{days})\.?(?: ?[-\u2013,&/] ?| (?:to|through|and|bis|und|au|et|a|al|e|y) )(?:{days})\.$"
    )
    for code, days in _DAYS.items()
}
_DAY = {code: re.compile(rf"(?<![\w'\u2019])(?<!the )(?:{_DAYS[code]})\.$") for code in ("en", "de")}
_OPEN = re.compile(
    r"\d{1,2}(?:[:.h]\d\d)?(?: ?(?:[ap]\.?m\b|Uhr\b|h\b|[-\u2013] ?\d)"
    r"| (?:to|bis|à|a|alle|às) \d{1,2}(?:[:.h]\d\d)?(?=[.,;)]|$| ?(?:[ap]\.?m\b|Uhr\b|h\b)))"
    r"|\d{1,2}:\d\d(?!\d)"
)  # 9-17 Uhr, 9 a.m.
_DATED = re.compile(r"\d{1,2}\. ?(?:\d|(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)\w*)")  # 5. Mai
_WORDED = re.compile(r"(?:^|[\s(])[a-zäöü]\.$")  # the i. of i. V. m.
_SENSE = re.compile(r"(?:^|[\s(])I\.$")
# Библиотека им. Ленина; but мы помогли им. Они рады.
_NAMED = re.compile(
    r"(?:(?:библиотек|музе|театр|университет|институт|академи|школ|завод|парк|площад|улиц|стадион|вокзал|аэропорт|"
    r"больниц|консерватори|училищ|лице|гимнази|колледж|центр|двор|клуб|фабрик|преми|оркестр|МГУ|НИИ)\w*"
    r"(?: [^\W\d_]+)?|\b(?:ул|пл|пр|пер)\.|^|[;,(]) ?им\.$",
    re.I,
)


def counts(before: str, word: str) -> bool:
    """Whether the last word is a unit of time behind a number: in 5 Min., 10 sec., but min. 5."""
    return word.lower() in _LEAST | {"sec"} and _COUNTED.search(before) is not None


def goes_on(before: str, word: str, following: str, language: str) -> bool:
    """Whether the full stop after `before`, whose last word is `word`, ends no sentence here."""
    counted = _COUNTED.search(before) is not None
    return (
        _EXAMPLE.search(before) is not None
        or (
            word.lower() in _LEAST
            and (_TIMED.match(following) is not None if counted else following[:1].isdigit())
        )
        or (word.lower() == "им" and following[:1].isupper() and _NAMED.search(before) is not None)
        or (following[:1].isdigit() and _opening(before, following, language))
        or (language == "de" and _german(before, word, following))
        or any(
            language in languages
            and word in words
            and pattern.match(following)
            and not (word == "min" and counted)
            for languages, words, pattern in _BEFORE
        )
    )


def _opening(before: str, following: str, language: str) -> bool:
    """Mon.-Fri. 9-5, Sat. 9 a.m., Mo. 5. Mai; but: we met on Mon. 5 people came."""
    days, day = _DAY_TO_DAY.get(language), _DAY.get(language)
    near = before[-30:]
    if _OPEN.match(following):
        return any(pattern is not None and pattern.search(near) is not None for pattern in (days, day))
    return language == "de" and _DAY["de"].search(near) is not None and _DATED.match(following) is not None


def _german(before: str, word: str, following: str) -> bool:
    """i. V. m., z. Hd., Best.-Nr. 5, 5. 3. 2026."""
    if re.search(r"(?<![\w.,])\d{1,2}\.$", before) and re.match(r"\d{1,2}\. (?:19|20)\d\d(?!\w)", following):
        return True
    if re.search(r"(?<![\w.,])\d{1,2}\. \d{1,2}\.$", before) and re.match(r"(?:19|20)\d\d(?!\w)", following):
        return True
    if word.lower().endswith("-nr"):
        return following[:1].isdigit()
    if _SENSE.search(before) and re.match(r"[SVH]\. ?[a-z]\.", following):  # I. S. d. § 3
        return True
    return _WORDED.search(before) is not None and re.match(r"[A-ZÄÖÜ][a-z]?\.", following) is not None
