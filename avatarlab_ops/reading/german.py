"""German."""

# ruff: noqa: E501, RUF001  (tables; typographic characters)

from __future__ import annotations

import re
from collections.abc import Mapping

from avatarlab_ops.reading import (
    both_genders,
    german_ordinals,
    german_packs,
    german_pieces,
    numbers,
    romance,
    tables,
)
from avatarlab_ops.reading.german_ordinals import NOMINATIVE, WEAK
from avatarlab_ops.reading.german_words import (
    BEFORE_NUMBER,
    BIG,
    KINGS,
    NO_ADJECTIVE,
    NUMBERED,
    QUEENS,
    SHORT,
)
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal, year

_MONTHS = tables.names("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
_SHORT_MONTHS = {month[:3]: month for month in _MONTHS if month not in ("März", "Mai", "Juni", "Juli")} | {
    "Sept": "September"
}
_SHORT_MONTH = rf"(?:{'|'.join(sorted(_SHORT_MONTHS, key=len, reverse=True))})\."
_FEMININE = re.compile(
    r"(?:[A-ZÄÖÜ]?[a-zäöüß]*(?:ung|heit|keit|schaft|ion|tät|ei|enz|anz|e)|Zahl|Stadt|Nacht|Hand|Frau)$"
)
_MASCULINE = re.compile(r"(?:Name|Junge|Kunde|Kollege|Buchstabe|Gedanke|Käse|Hase)$")
_NEUTER = re.compile(r"(?:Ende|Auge|Gebäude|Gemüse|Interesse|Getränke?)$")


def _agree(number: str, noun: str) -> str:
    if not number.endswith("eins"):
        return number
    feminine = _FEMININE.search(noun) and not _MASCULINE.search(noun) and not _NEUTER.search(noun)
    return f"{number[:-1]}e" if feminine and number == "eins" else number[:-1]


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{ordinal('de', day)}r {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {year('de', when)}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = f"{_agree(cardinal('de', hour), 'Uhr')} Uhr"
    said += f" {cardinal('de', minute)}" if minute else ""
    return f"{said} und {cardinal('de', second)} Sekunden" if second else said


def _compounds(units: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Words put together begin with one capital: Quadratkilometer."""
    small = {
        symbol: [re.sub(r"(?<=[a-z])[A-Z]", lambda m: m[0].lower(), word) for word in both]
        for symbol, both in units.items()
    }
    return {symbol: (one, many) for symbol, (one, many) in small.items()}


_FRACTIONS = tables.fractions(
    "ein halb, ein Drittel, zwei Drittel, ein Viertel, drei Viertel, ein Fünftel, zwei Fünftel, drei Fünftel, "
    "vier Fünftel, ein Sechstel, ein Achtel, drei Achtel, fünf Achtel, sieben Achtel"
)
_STRONG = "mein|dein|sein|ihr|unser|euer|ein|kein"  # mein erster Tag, mein erstes Buch
_NEUTERS = re.compile(
    r"(?:Jahr|Mal|Buch|Kind|Auto|Spiel|Video|Modul|Kapitel|Projekt|Quartal|Semester|Haus|Team|Ziel|Tor)$"
)
# Words that open a sentence after a number and its full stop; before another capital the number is an ordinal.
STARTERS = "|".join(
    tables.names(
        "Ich Du Er Sie Es Wir Ihr Man Wer Was Wann Wo Wie Warum Der Die Das Den Dem Des Ein Eine Einen Einem Einer "
        "Dieser Diese Dieses Dies Jeder Jede Jedes Alle Alles Viele Kein Keine Mein Meine Dein Deine Sein Seine "
        "Unser Unsere Ihre Ihren Und Oder Aber Doch Denn Dann Danach Davor Da Dort Hier Heute Morgen Gestern Jetzt "
        "Nun Auch Nur Noch Nicht Ja Nein Bitte Danke Im In Am An Auf Aus Bei Beim Bis Für Mit Nach Ohne Seit Um "
        "Unter Über Vom Von Vor Zu Zum Zur Zwischen Wenn Weil Dass Damit Als Ob Obwohl Während So Also Deshalb "
        "Daher Darum Trotzdem Später Zuerst Leider Ist Sind War Hat Haben Kann Können Wird Werden Kommen Kommt"
    )
)
_DATE = re.compile(
    rf"(?:(?<![\w.])(?P<before>(?i:{WEAK}|{NOMINATIVE})) )?(?<![\w.,])(?P<day>\d{{1,2}})\. ?"
    rf"(?P<month>{'|'.join(_MONTHS)}|{_SHORT_MONTH})(?P<year> \d{{4}})?(?!\w)"
)
_DAYS = re.compile(
    r"(?<![\w.])(?P<before>(?i:am|vom|zum|dem|den|des|der|ab|bis|seit)) (?P<day>\d{1,2})\.(?P<month>\d{1,2})\."
    r"(?P<year>\d{4}|\d{2})?(?!\w|\.\d)"
)
_DATED = re.compile(
    r"(?<![\w.])(?:(?i:am|vom|zum) \d{1,2}\.\d{1,2}\.(?:\d{2}|\d{4})?|\d{1,2}\.\d{1,2}\.)(?!\w|\.\d)"
)
# 24.12. without one of these words: where a date is likely, else it is a chapter or a version.
_BARE_DAYS = re.compile(
    r"(?:^|(?<=[(,:;\u2013-])|(?<=[(,:;\u2013-] )|(?<=tag )|(?<=woch )|(?<=abend ))"
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?![\d.])"
)
_SPAN = re.compile(r"(?<=\d\.) ?[\u2013-] ?(?=\d{1,2}\.\d{1,2}\.(?:$|[^\d.]))")
_ORDINAL = re.compile(
    rf"(?<![\w.])(?P<before>{WEAK}|{NOMINATIVE}|{_STRONG}) (?P<number>\d{{1,3}})\.(?= [A-ZÄÖÜa-zäöü])"
    rf"(?! (?-i:{STARTERS})\b)",
    re.I,
)
_UHR = re.compile(r"(?<![\w:.,])(\d{1,2})(?:[:.]([0-5]\d) ?Uhr\b|:([0-5]\d) ?h(?!\w))")


# Nouns before which a number with a full stop is an ordinal without an article, too, and its ending there.
_RANKED = {
    "e": "Bundesliga Liga Klasse Etage Runde Auflage Staffel Halbzeit",
    "er": "FC SC Stock Platz Weltkrieg Spieltag Akt",
    "es": "Semester Quartal Jahrhundert Halbjahr OG UG Obergeschoss Untergeschoss Stockwerk",
}
_RANK_OF = {noun: ending for ending, nouns in _RANKED.items() for noun in nouns.split()}
RANKED = "|".join(_RANK_OF)
_TWO_DAYS = re.compile(
    rf"(?<![\w.,])(?:(?P<before>(?i:{WEAK}|{NOMINATIVE})) )?(?P<first>\d{{1,2}})\.(?P<joint> und | oder | bis | ?[-\u2013] ?|/)"
    rf"(?P<last>\d{{1,2}})\. ?(?P<month>{'|'.join(_MONTHS)})(?!\w)"
)
_OLD = re.compile(
    r"(?<![\w.,:/+€$£#-])(?<!\d )(?<![A-ZÄÖÜ]{2} )(1[1-9]\d\d)(?![\w%‰°]|[.,:/]\d|[-\u2013]\d|,[-\u2013]| ?[x×€$£])"
)
_YEARS = re.compile(
    r"(?<![\w.,:/+€$£#-])(1[1-9]\d\d|20\d\d) ?[-\u2013] ?(1[1-9]\d\d|20\d\d|\d\d)(?![\w%‰°]|[.,:/-]\d| ?[€$£])"
)
# After these it is a year even before a noun: im Sommer 1998 Urlaub, seit 1998 Mitglied.
_DATING = re.compile(
    r"\b(?:Jahre?n?|Jahrgang|Baujahr|Sommer|Winter|Herbst|Frühling|Frühjahr|Saison|Ostern|Weihnachten|Silvester|"
    rf"{'|'.join(_MONTHS)}|Anfang|Mitte|Ende|seit|gegründet|geboren|Copyright|Stand)"
    r" (?:\d{4} (?:und|oder|bis) )?$|[©*†] ?$",
    re.I,
)
_COUNTING = re.compile(
    r"\b(?:etwa|rund|ca\.|circa|über|fast|knapp|gut|als|mindestens|höchstens|maximal|minimal|bis zu|insgesamt|genau|"
    r"nur|noch|weitere|je|alle|PIN|Nr\.|Nummer|Code|Zimmer|Raum|Seite|Artikel|Fehler|Port|Modell|Linie|Flug|Konto)"
    r" (?:\d{4} (?:und|oder|bis) )?$",
    re.I,
)


_COUNTS = re.compile(
    r"[ -]mal\b| (?:oder )?(?:mehr|weniger)\b| davon\b| von (?:ihnen|uns|euch|denen|diesen|\d)"
    rf"| (?!(?:{NO_ADJECTIVE})\b)[a-zäöüß]+en?(?:,? [a-zäöüß]+en?)* [A-ZÄÖÜ]"
)
# Of what was done in those years: die zwischen 1950 und 1960 gebauten Häuser.
_DONE = re.compile(
    r" (?!verschieden|bekannt|berühmt)(?:(?:[a-zäöüß]*ge|be|er|ent|ver|zer)[a-zäöüß]+(?:te|ene)|[a-zäöüß]+ierte)n? "
)
# What a number belongs to that stands before it: Platz 3. Platz da!
NUMBERED_BEFORE = re.compile(
    rf"\b(?:{NUMBERED}|{RANKED}|(?:Nr|Art|Abb|Abs|Bd|Kap|Nrn|Pos|S|Tab|Zi|Ziff)\.)[ \u00a0]$"
)


def _two_days(match: re.Match[str]) -> str | None:
    if not (1 <= int(match["first"]) <= 31 and 1 <= int(match["last"]) <= 31):
        return None
    ending = german_ordinals.ending(match["before"])
    first, last = (f"{ordinal('de', int(match[name]))}{ending}" for name in ("first", "last"))
    joint = {"-": "bis", "\u2013": "bis", "/": "und"}.get(joint := match["joint"].strip(), joint)
    return " ".join(filter(None, (match["before"], first, joint, last, match["month"])))


def _ordered(match: re.Match[str]) -> str:
    """der 2. Teil, in der 5. Klasse, ab 5. Klasse."""
    before, ending = match["before"], german_ordinals.ending(match["before"])
    noun = re.match(r" (\w+)", match.string[match.end() :])
    if before.lower() in ("ab", "seit", "bis") and noun and _RANK_OF.get(noun[1]) == "e":
        ending = "" if re.search(r"\d\. $", match.string[: match.start()]) else "r"  # 5. bis 8. Klasse
    if re.fullmatch(_STRONG, before, re.I):
        ending = "s" if noun and _NEUTERS.search(noun[1]) else "r"
    if before == "der" and re.search(
        r"\b(?i:in|aus|mit|von|zu|bei|nach|an|auf) $", match.string[: match.start()]
    ):
        ending = "n"
    return f"{before} {ordinal('de', int(match['number']))}{ending}"


def _ranked(match: re.Match[str]) -> str | None:
    """2. Bundesliga, auf 3. Platz; but Platz 3. Platz nehmen."""
    before = match.string[: match.start()]
    if NUMBERED_BEFORE.search(before):
        return None
    ending = _RANK_OF[match[2]]
    article = re.search(
        rf"\b(?:({WEAK})|{NOMINATIVE}) (?:(?:\d{{1,2}}|[IVX]+)\. ?(?:und|oder|bis|[-\u2013]) ?)?$",
        before,
        re.I,
    )
    if article:  # der II. Weltkrieg
        ending = "en" if article[1] else "e"
    elif re.search(r"\b(?i:auf|in|an|aus|mit|von|bei|nach|zu) $", before):
        ending = "er" if ending == "e" else "en"
    value = int(match[1]) if match[1].isdecimal() else numbers.roman(match[1])
    return f"{ordinal('de', value).removesuffix('e')}{ending}" if value else None


def _old_year(match: re.Match[str]) -> str | None:
    """1989 fiel die Mauer; a number with a noun behind it counts, unless im Mai stands before it."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    between = re.search(r"[Zz]wischen (?:\d{4} und )?$", before)
    after = re.sub(r"^ (?:und|oder|bis) \d{4}(?![.,]\d)", "", after)
    unit = re.match(r"[ \u00a0]?([^\W\d_]+)", after)
    # Zwischen 1914 und 1918 starben Millionen: first in a sentence a verb follows.
    done = between and (_DONE.match(after) or (between[0][0] == "Z" and re.match(r" [a-zäöüß]+en? ", after)))
    counts = (_COUNTS.match(after) and not done) or _COUNTING.search(before) or NUMBERED_BEFORE.search(before)
    named = re.match(r" [A-ZÄÖÜ]", after) and not _DATING.search(before)
    if (
        counts
        or named
        or (unit and unit[1] in GERMAN.units)
        or (before.endswith("wurden ") and after[:5] == " von ")
    ):
        return None
    return year("de", int(match[0]))


def _years_between(match: re.Match[str]) -> str | None:
    """1749-1832; but 1500-1800 Euro."""
    first, last = int(match[1]), int(match[2])
    counts = re.match(r" (?:[A-ZÄÖÜ]|k?[mg]\b)", match.string[match.end() :])
    if counts or (len(match[2]) == 4 and last <= first):
        return None
    return f"{year('de', first)} bis {year('de', last) if len(match[2]) == 4 else cardinal('de', last)}"


def _span(match: re.Match[str]) -> str | None:
    """01.05.-03.05.2026."""
    days = [(int(match[n]), int(match[n + 1])) for n in (2, 5)]
    if not all(1 <= day <= 31 and 1 <= month <= 12 for day, month in days):
        return None
    first, last = (f"{ordinal('de', day)}{{}} {_MONTHS[month - 1]}" for day, month in days)
    said = [first.format("n" if match[1] else "r"), match[4] or "", "bis", last.format("n"), match[7] or ""]
    told = (year("de", int(word)) if word.isdecimal() else word for word in said)
    return " ".join(filter(None, (match[1], *told)))


_HALF_NEUTER = re.compile(r"(?:Jahr|Kilo(?:gramm)?|Pfund|Dutzend|Glas|Gramm|Prozent|Blatt|Bund|Brot)$")


def _half(match: re.Match[str]) -> str:
    """½ Tasse: eine halbe, ein halber Liter, ein halbes Kilo."""
    noun = match[1]
    if _HALF_NEUTER.search(noun):
        return "ein halbes"
    feminine = _FEMININE.search(noun) and not _MASCULINE.search(noun)
    return "eine halbe" if feminine else "ein halber"


_EUROS = r"(\d{1,9}),(\d\d)"


def _euros(whole: str, part: str) -> str:
    """12,50 Euro: zwölf Euro fünfzig."""
    euros, cents = int(whole), int(part)
    said = f"{_agree(cardinal('de', euros), 'Euro')} Euro" if euros or not cents else ""
    parts = cardinal("de", cents) if euros else f"{_agree(cardinal('de', cents), 'Cent')} Cent"
    return f"{said} {parts if cents else ''}".strip()


def _plain_euros(whole: str, part: str) -> str:
    """The first of two amounts: fünf in 5,00 bis 7,50 Euro."""
    return _agree(cardinal("de", int(whole)), "Euro") if part == "00" else _euros(whole, part)


def _written_date(match: re.Match[str]) -> str | None:
    day, when = int(match["day"]), match["year"]
    if not 1 <= day <= 31:
        return None
    month = match["month"]
    month = _SHORT_MONTHS[month[:-1]] if month.endswith(".") else month
    said = f"{ordinal('de', day)}{german_ordinals.ending(match['before'])} {month}"
    said = f"{said} {year('de', int(when))}" if when else said
    said += "." if match[0].endswith(".") and match.end() == len(match.string) else ""
    return f"{match['before']} {said}" if match["before"] else said


def _counted(match: re.Match[str]) -> str | None:
    """1 Katze; a unit such as Std is read with it."""
    return None if match[2] in GERMAN.units else _agree(match[1].replace("1", "eins"), match[2])


def _is_version(match: re.Match[str]) -> bool:
    """Whether what could be a date with a short year is rather a version: Firmware bis 3.2.15."""
    if "0" in (match["day"][0], match["month"][0]):
        return False
    dated = _DATED.search(match.string[: match.start()]) and match["before"].lower() in ("ab", "bis", "seit")
    return match["before"].lower() in ("der", "des", "den", "dem", "ab", "bis", "seit") and not dated


def _figures(match: re.Match[str]) -> str | None:
    day, month, when = int(match["day"]), int(match["month"]), match["year"]
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    if when and len(when) == 2:
        if _is_version(match):
            return None
        when = f"{'20' if when < '50' else '19'}{when}"
    said = f"{match['before']} {ordinal('de', day)}{german_ordinals.ending(match['before'])} {_MONTHS[month - 1]}"
    stop = "." if match.end() == len(match.string) and not when else ""
    return f"{said} {year('de', int(when))}" if when else said + stop


def _bare(match: re.Match[str]) -> str | None:
    day, month = int(match["day"]), int(match["month"])
    before = match.string[: match.start()]
    if not (1 <= day <= 31 and 1 <= month <= 12) or re.search(rf"\b(?:{NUMBERED})\b", before):
        return None
    ending = "n" if re.search(r"\d\. ?[\u2013-] ?$", before) else "r"  # bis zum sechsten
    said = f"{ordinal('de', day)}{ending} {_MONTHS[month - 1]}"
    return said + ("." if match.end() == len(match.string) else "")


def _years(match: re.Match[str]) -> str:
    """18 J., with the sentence's full stop at its end."""
    before = match.string[: match.start()]
    dative = re.search(r"\b(?i:ab|mit|von|vor|nach|seit|unter) \d+ ?$", before)
    said = "Jahr" if re.search(r"(?<!\d)1 ?$", before) else "Jahren" if dative else "Jahre"
    return said + ("." if match.end() == len(match.string) else "")


_WEEKDAY = dict(zip(
    ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"), strict=True,
))  # fmt: skip
_DAY = "|".join(_WEEKDAY)
_APART = r" ?[\u2013-] ?| bis | und |, | & |/"
_FRAU = r"(?:(?<=und Fr)|(?<=[,&] Fr))\.[ \u00a0]?[A-ZÄÖÜ]"  # Mo. bis Fr. Ruhetag is Freitag
_WEEKDAYS = re.compile(
    rf"(?<!\w)(?:{_DAY})\.?(?:(?:{_APART})(?:{_DAY})(?!\w)(?!{_FRAU})(?:\.(?=$|[^\w.]))?)+"
)


def _weekdays(match: re.Match[str]) -> str | None:
    """Mo. bis Fr.: days, while Fr. alone is Frau, and "Do, Mi" may be notes."""
    inner = match[0].removesuffix(".") if match.end() == len(match.string) else match[0]
    if re.fullmatch(rf"(?:{_DAY}), (?:{_DAY})", inner):
        return None
    said = re.sub(rf"({_DAY})\.?", lambda m: _WEEKDAY[m[1]], match[0])
    said = re.sub(" ?[\u2013-] ?", " bis ", said).replace("/", " und ").replace("&", "und")
    return said + ("." if match[0].endswith(".") and match.end() == len(match.string) else "")


def _sets(match: re.Match[str]) -> str:
    """2er-Set: zweier."""
    return f"{cardinal('de', int(match[1]))}er".replace("einhunderter", "hunderter")


_HOUR = r"\d{1,2}(?:[:.]\d\d)?"
_STREET = re.compile(
    r"(?:(?i:str(?:\.|aße)|weg|platz|allee|gasse|ring|ufer|damm|chaussee) \d+ ?[a-z]?, |PLZ:? )$"
)
_RESCUE = re.compile(r"notruf|notfall|\bruf|\bwähl|polizei|feuerwehr|rettung", re.I)


def _postcode(match: re.Match[str]) -> str | None:
    """Hauptstr. 5, 10115 Berlin; but viele, 10000 Menschen."""
    return GERMAN.digits(match[0]) if _STREET.search(match.string[: match.start()]) else None


def _emergency(match: re.Match[str]) -> str | None:
    """Rufen Sie die 112; but das sind die 112."""
    return GERMAN.digits(match[0]) if _RESCUE.search(match.string) else None


_OWN = (
    *both_genders.german(),
    *german_packs.rules(STARTERS),
    Rule("scale", re.compile(r"(?<![\w.,-])1 (?:(Mio|Mrd)\.?|(Million|Milliarde))(?!\w)"), lambda m: BIG[m[1] or m[2]]),
    Rule("abbreviation", re.compile(r"(?<![\w.])S\.(?= ?\d)"), german_pieces.page),
    Rule("abbreviation", re.compile(r"(?<=\d )J\.|(?<=\d)J\."), _years),
    Rule(
        "date",
        re.compile(r"(?:(?<!\w)([Vv]om|[Aa]b|[Aa]m) )?(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})? ?[-\u2013] ?(\d{1,2})\.(\d{1,2})\.(\d{4})?(?!\w|\.\d)"),
        _span,
    ),
    Rule("date", _DAYS, _figures),
    Rule("date", _BARE_DAYS, _bare),
    Rule("until", _SPAN, lambda _: "bis"),
    Rule("years", re.compile(r"(?<![\w.,-])([2-9]0|(?:1[1-9]|20)\d\d)er(?!\w)"), lambda m: f"{year('de', int(m[1]))}er"),
    Rule(
        "money", re.compile(r"(?<![\w.,])(\d{1,3}(?:\.\d{3})+|\d{1,9}),[-\u2013\u2014]+ ?(?:€|Euro(?!\w))"),
        lambda m: f"{_agree(cardinal('de', int(m[1].replace('.', ''))), 'Euro')} Euro",
    ),
    Rule("weekday", _WEEKDAYS, _weekdays),
    Rule("abbreviation", re.compile(r"(?<=\d )f\.(?= ?[,;)]|$)"), lambda _: "folgende"),
    Rule("abbreviation", re.compile(r"(?<=[a-zäöüß] )f\.(?= [A-ZÄÖÜ][a-zäöüß])"), lambda _: "für"),
    Rule("abbreviation", re.compile(r"(?<=\d )Mon\.(?=$|[ ,;)–-])"), lambda m: "Monate" + "." * (m.end() == len(m.string))),
    Rule("set", re.compile(r"(?<![\w.,-])(\d{1,3})er(?=-[A-ZÄÖÜ]| ?-?[A-ZÄÖÜ][a-zäöüß]*(?:set|pack|gruppe|team)\b)"), _sets),
    Rule(
        "weekday", re.compile(rf"(?<!\w)({_DAY})\.?:?(?= {_HOUR}(?:(?: ?[-\u2013] ?| bis ){_HOUR}(?![\d:.]?\d| (?!Uhr)\w)| ?Uhr))"),
        lambda m: _WEEKDAY[m[1]],
    ),
    Rule("street", re.compile(r"\b([A-ZÄÖÜ][a-zäöü]+)str\.(?= )"), lambda m: f"{m[1]}straße"),
    Rule("postcode", re.compile(r"(?:(?<=, )|(?<=PLZ )|(?<=PLZ: ))\d{5}(?= [A-ZÄÖÜ][a-zäöü]|$)"), _postcode),
    Rule("standard", re.compile(r"(?<=ISO )(\d{3,5}):(\d{4})(?!\d)"),
         lambda m: f"{cardinal('de', int(m[1]))} {year('de', int(m[2]))}"),
    Rule("emergency", re.compile(r"(?:(?<=Notruf )|(?<=rufen Sie )|(?<=Rufen Sie )|(?<=wählen Sie )|(?<=die )|(?<=oder ))"
                                 r"(?:11[025]|116117)(?= an\b| oder 11\d| wählen|[,.!]|$)"), _emergency),
    Rule("weekday", re.compile(rf"(?<!\w)({_DAY})\.(?=,? (?:den )?\d{{1,2}}\.)"), lambda m: _WEEKDAY[m[1]]),
    romance.roman_stop(KINGS, lambda value: f"der {ordinal('de', value)}"),
    romance.short(SHORT),
    *german_pieces.rules(),
    romance.shortened(BEFORE_NUMBER, r"(?<![\w.]){}(?= ?\d)"),
    romance.shortened({"max.": "maximal"}, r"(?<![\w.]){}(?= ?\d)"),
    romance.shortened({"min.": "mindestens"}, r"(?<![\w.])(?<!\d )(?-i:{})(?= \d)"),
    *romance.telephones(lambda: GERMAN, r"0\d{2,5}[ /-]\d{3,9}(?:[ -]\d{1,5})*"),
    Rule("date", _TWO_DAYS, _two_days),
    Rule("date", _DATE, _written_date),
    Rule(
        "month", re.compile(rf"(?:(?<=\bim )|(?<=\bIm )|(?<=\bbis )|(?<=\bseit )|(?<=\b[Aa]b )|(?<=Anfang )|(?<=Mitte )|(?<=Ende )){_SHORT_MONTH}|"
                            rf"(?<!\w){_SHORT_MONTH}(?= \d{{4}}(?!\d))"),
        lambda m: _SHORT_MONTHS[m[0][:-1]] + "." * (m.end() == len(m.string)),
    ),
    Rule(
        "money", re.compile(rf"(?<![\w.,-]){_EUROS}(?: ?[-\u2013] ?| (bis|und|oder) ){_EUROS} Euro(?!\w)"),
        lambda m: f"{_plain_euros(m[1], m[2])} {m[3] or 'bis'} {_euros(m[4], m[5])}",
    ),
    Rule("money", re.compile(rf"(?<![\w.,-]){_EUROS} Euro(?!\w)"), lambda m: _euros(m[1], m[2])),
    Rule("ratio", re.compile(r"(?:(?<=Verhältnis )|(?<=Verhältnis von )|(?<=Maßstab ))(\d{1,9}):(\d{1,9})(?!\w|:|[.,]\d)"),
         lambda m: f"{cardinal('de', int(m[1]))} zu {cardinal('de', int(m[2]))}"),
    Rule("year", _YEARS, _years_between),
    Rule("year", _OLD, _old_year),
    Rule("ordinal", _ORDINAL, _ordered),
    Rule(
        "ordinal", re.compile(rf"(?<![\w.,])(\d{{1,2}})\.(?= ({RANKED})\b)"),
        _ranked,
    ),
    Rule("time", _UHR, lambda m: _say_time(int(m[1]), int(m[2] or m[3]), None) if int(m[1]) <= 24 else None),
    Rule(
        "half", re.compile(r"(?<![\w.,/])(?<!\d )(?:½|1/2) (TL|EL)\b"),
        lambda m: f"ein halber {GERMAN.units[m[1]][0]}",
    ),
    Rule("half", re.compile(r"(?<![\w.,/])(?<!\d )(?:½|1/2) (?=([A-ZÄÖÜ]\w+))"), _half),
    romance.fractions(_FRACTIONS),
    Rule(
        "counted", re.compile(rf"(?<![\w.,:/+-])(?<!{' )(?<!'.join(NUMBERED.split('|'))} )(1)(?= ([A-ZÄÖÜ][a-zäöüß]+))"),
        _counted,
    ),
    romance.roman(KINGS, lambda value: f"der {ordinal('de', value)}"),
    romance.roman_stop(QUEENS, lambda value: f"die {ordinal('de', value)}"),
    romance.roman(QUEENS, lambda value: f"die {ordinal('de', value)}"),
    Rule("roman", re.compile(rf"(?<![\w.])([IVX]+)\.(?= ({RANKED})\b)"), _ranked),
    Rule("until", re.compile(rf"(?<=\d\.) ?[-\u2013] ?(?=\d{{1,2}}\. (?:{RANKED})\b)"), lambda _: "bis"),
    Rule(
        "ordinal", re.compile(rf"(?<![\w.,])(\d{{1,2}})\.(?= ?(?:[-\u2013]|und|bis|oder) ?\d{{1,2}}\. ({RANKED})\b)"), _ranked
    ),
    romance.roman("Bd.|Kapitel|Band|Teil|Akt|Phase|Stufe|Typ", lambda value: cardinal("de", value)),
)  # fmt: skip

GERMAN: Language = Language(
    code="de", decimal=",", point="Komma", minus="minus", plus="plus", to="bis", by="mal", ratio="zu", power="hoch",
    and_="und", of="", digitwise=True, day_first=True, version="Version", agree=_agree,
    signs=tables.signs(
        "Prozent, Promille, und, plus, gleich, at, Raute, Schrägstrich, Backslash, Sternchen, Unterstrich, circa, "
        "Dach, senkrechter Strich, kleiner als, größer als, kleiner gleich, größer gleich, ungleich, ungefähr, "
        "plus minus, mal, geteilt durch, Wurzel aus, unendlich, Grad, Paragraf, Absatz, Copyright, "
        "eingetragene Marke, Marke, Euro, Pfund, Dollar, Yen, Quadrat, hoch drei, nach, Nummer, Mikro, a, o"
    ) | {"§§": "Paragrafen"},
    web=tables.web(
        "Punkt, at, Schrägstrich, Strich, Unterstrich, Doppelpunkt, Fragezeichen, gleich, und, Raute, plus, "
        "Prozent, Tilde, Komma, Semikolon"
    ),
    units=_compounds(tables.measures(
        "Meter|Meter, Gramm|Gramm, Liter|Liter, Sekunde|Sekunden, Minute|Minuten, Stunde|Stunden, Watt|Watt, "
        "Volt|Volt, Ampere|Ampere, Hertz|Hertz, Byte|Byte, Bit|Bit, Pixel|Pixel, Pascal|Pascal, Joule|Joule, "
        "Kalorie|Kalorien, Bar|Bar, Tonne|Tonnen, Hektar|Hektar, Dezibel|Dezibel, Grad|Grad, Tag|Tage",
        "Kilo Mega Giga Tera Peta Hekto Dezi Zenti Milli Mikro Nano",
        "Quadrat{}, Kubik{}, {} Celsius, {} Fahrenheit, {}stunde|{}stunden, {} pro Sekunde, {} pro Stunde, Prozent, "
        "Promille, Teile pro Million",
        "Min.=Minute|Minuten, Std.=Stunde|Stunden, Sek.=Sekunde|Sekunden, Min=Minute|Minuten, Std=Stunde|Stunden, Sek=Sekunde|Sekunden, "
        "qm=Quadratmeter|Quadratmeter, TL=Teelöffel|Teelöffel, EL=Esslöffel|Esslöffel, PS=PS|PS, "
        "mmHg=Millimeter Quecksilbersäule|Millimeter Quecksilbersäule, bpm=Schlag pro Minute|Schläge pro Minute, ct=Cent|Cent, Ct=Cent|Cent, ct.=Cent|Cent, Ct.=Cent|Cent",
    )),
    per="pro",
    money=tables.money({
        "€ EUR": "Euro|Euro|Cent|Cent", "$": "Dollar|Dollar|Cent|Cent", "US$ USD": "US-Dollar|US-Dollar|Cent|Cent",
        "£ GBP": "Pfund|Pfund|Penny|Pence", "¥ JPY": "Yen|Yen||", "CHF": "Franken|Franken|Rappen|Rappen",
        "₹": "Rupie|Rupien||", "₿": "Bitcoin|Bitcoin||",
    }),
    scales={
        "Tausend": "tausend", "Millionen": "Millionen", "Million": "Million", "Milliarden": "Milliarden",
        "Milliarde": "Milliarde", "Mio.": "Millionen", "Mio": "Millionen", "Mrd.": "Milliarden", "Mrd": "Milliarden",
        "Tsd.": "tausend", "M": "Millionen", "k": "tausend", "K": "tausend",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda My Ny Xi Omikron Pi Rho Sigma Tau Ypsilon "
        "Phi Chi Psi Omega"
    ),
    say_date=_say_date, date_after=german_ordinals.follow, say_time=_say_time, own=_OWN, out_of="von", over="zu", times="mal",
    half=lambda n: f"{cardinal('de', n).removesuffix('s')}einhalb" if n % 10 == 1 else f"{cardinal('de', n)}einhalb",
)  # fmt: skip
