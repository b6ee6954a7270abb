"""What Russian and Ukrainian read alike: one, few and many, genders, dates in the genitive.

A word in the tables of both may hold its endings for 1, for 2 to 4 and for 5: рубл[ь;я;ей].
"""

# ruff: noqa: E501, RUF001, RUF002  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import LONGEST, Rule, cardinal, ordinal
from avatarlab_ops.reading.language import genitive as declined
from avatarlab_ops.reading.numbers import NUMBER

_ENDINGS = re.compile(r"\[([^;\]]*);([^;\]]*);([^\]]*)\]")
# The genitive singular in Ukrainian, where it is not the form for 2: півтора літра, 1,5 літра.
_UKRAINIAN_PART = {
    ";и;ів": "а", ";и;": "а", "ок;ки;ків": "ка", "ь;і;ів": "я", "ень;ні;нів": "ня", "ий;і;их": "ого",
}  # fmt: skip
# Nouns of which the ending does not tell the gender, or tells it wrong.
_FEMININE = re.compile(
    r"(?:.*ность|дверь|ночь|вещь|часть|область|площадь|запись|роль|модель|цель|новость|жизнь|речь|сеть|ніч|річ)$"
)
_MASCULINE = re.compile(r"(?:мужчина|папа|дядя|дедушка|юноша|судья|коллега|пути|чоловіки)$")
_NEUTER = re.compile(r"(?:.*[оО]|.*ие|.*мя|.*ння|море|поле|солнце|сердце|місце|сонце|серце)$")
_UKRAINIAN_TWO = re.compile(
    r"(?:.*ості|.*ції|книги|хвилини|години|секунди|гривні|тонни|сторінки|частини|людини|жінки|дівчини|сестри|"
    r"кімнати|країни|школи|картки|машини|вулиці|копійки|речі|ночі)$"
)
# Decimals in words: целая, целых, then the parts by their number of digits, for one and for many.
_WHOLE = {"ru": ("целая", "целых"), "uk": ("ціла", "цілих")}
_PARTS = {
    "ru": (("десятая", "десятых"), ("сотая", "сотых"), ("тысячная", "тысячных")),
    "uk": (("десята", "десятих"), ("сота", "сотих"), ("тисячна", "тисячних")),
}
_PARTS_OF_ONE = {
    "ru": ("целой", "десятой", "сотой", "тысячной"),
    "uk": ("цілої", "десятої", "сотої", "тисячної"),
}
_HALF = {"ru": ("полтора", "полторы"), "uk": ("півтора", "півтори")}
_PART = frozenset("целая целых полтора полторы ціла цілих півтора півтори запятая кома".split())  # noqa: SIM905
_FEW = {"два", "две", "дві", "три", "четыре", "чотири"}
_ONE = {"один", "одна", "одно", "одне"}
_FEMININE_ONE, _FEMININE_TWO = {"ru": "одна", "uk": "одна"}, {"ru": "две", "uk": "дві"}
_NEUTER_ONE = {"ru": "одно", "uk": "одне"}


# What follows 5 where рис is rice: рис. 5 порций.
RICE = r"порц|стакан|тарел|чаш|лож|пач|мешк|к?г(?!\w)|гра?м|к[иі]ло|мин|хв|человек|люд"


def figure(within: str) -> Rule:
    """На рис. 3: the word in the case that на and в ask for."""
    before = r"(?:(?<=\b[Нн]а )|(?<=\b[УуВв] ))"
    return Rule("abbreviation", re.compile(rf"{before}рис\.(?= ?\d+(?!\d| ?(?:{RICE})))"), lambda _: within)


def formed(number: str, what: str) -> str:
    """What is counted in the form that this number, in words, asks for; with decimals in the genitive."""
    words = number.split()
    part = not _PART.isdisjoint(words)
    at = (
        2 if part else {**dict.fromkeys(_ONE, 1), **dict.fromkeys(_FEW, 2)}.get(words[-1] if words else "", 3)
    )
    special = _UKRAINIAN_PART if not {"кома", "ціла", "цілих", "півтора", "півтори"}.isdisjoint(words) else {}
    return _ENDINGS.sub(lambda m: special.get(m[0][1:-1], m[at]), what)


def is_one(digits: str) -> bool:
    """Whether what is counted stands as after one: 1, 21, 101, but not 11."""
    return digits[-1] == "1" and digits[-2:] != "11"


def decimals(code: str) -> Callable[[str, str], str | None]:
    """2,5 is две целых пять десятых, 1,5 is полтора; a part of more than three digits has no words here."""

    def say(whole: str, part: str) -> str | None:
        if len(part) > 3 or len(whole) > LONGEST or (len(whole) > 1 and whole[0] == "0"):
            return None
        if (whole, part) == ("1", "5"):
            return _HALF[code][0]
        said = [_gendered(code, cardinal(code, int(digits)), feminine=True) for digits in (whole, part)]
        names = (_WHOLE[code], _PARTS[code][len(part) - 1])
        what = [
            name[0] if is_one(digits) else name[1] for name, digits in zip(names, (whole, part), strict=True)
        ]
        return f"{said[0]} {what[0]} {said[1]} {what[1]}"

    return say


def decimals_of(code: str, whole: str, part: str) -> str | None:
    """A decimal number in the genitive: до двух целых пяти десятых."""
    if len(part) > 3 or int(whole) > (10**9):
        return None
    if (whole, part) == ("1", "5"):
        return "полутора" if code == "ru" else "півтора"
    said = [declined(code, int(digits), True) for digits in (whole, part)]
    many = (_WHOLE[code][1], _PARTS[code][len(part) - 1][1])
    ones = (_PARTS_OF_ONE[code][0], _PARTS_OF_ONE[code][len(part)])
    what = [o if is_one(digits) else m for o, m, digits in zip(ones, many, (whole, part), strict=True)]
    return f"{said[0]} {what[0]} {said[1]} {what[1]}"


def of_part(code: str, what: str) -> str:
    """A word of the tables in the genitive singular, as decimals ask for it."""
    return formed("кома" if code == "uk" else "запятая", what)


def half(code: str) -> Callable[[int], str]:
    """2½ is два с половиной."""

    def say(whole: int) -> str:
        if whole == 1:
            return _HALF[code][0]
        return f"{cardinal(code, whole)} {'с половиной' if code == 'ru' else 'з половиною'}"

    return say


def inflected(what: str, at: int) -> str:
    """A word of the tables as it stands beside 1, 2 or 5; `at` is 1, 2 or 3."""
    return _ENDINGS.sub(lambda m: m[at], what)


def agreed(code: str) -> Callable[[str, str], str]:
    """Fits a number to the word of a table that it counts: одна тонна, две минуты."""

    def agree(number: str, what: str) -> str:
        return _gendered(code, number, feminine=formed("один", what).split()[0][-1:] in "ая")

    return agree


def _gendered(code: str, number: str, *, feminine: bool = False, neuter: bool = False) -> str:
    head, _, last = number.rpartition(" ")
    if last == "один" and (feminine or neuter):
        last = _FEMININE_ONE[code] if feminine else _NEUTER_ONE[code]
    elif last == _HALF[code][0] and feminine:
        last = _HALF[code][1]
    elif last == "два" and feminine:
        last = _FEMININE_TWO[code]
    return f"{head} {last}".strip()


def _is_feminine(code: str, noun: str, one: bool) -> bool:
    """Where it is not sure, no: the plain number is said."""
    if _MASCULINE.match(noun):
        return False
    if one:
        return noun[-1] in "ая" or _FEMININE.match(noun) is not None
    return _UKRAINIAN_TWO.match(noun) is not None if code == "uk" else noun[-1] in "ыи"


# Symbols of units as long as nouns, which the rules of measures read; a Russian год is a year.
_SYMBOLS = {"ru": "мин|сек|мес|чел|ккал", "uk": "год|сек|ккал"}


def counted(code: str) -> Rule:
    """1 книга, 2 книги, 21 окно: the gender shows in the ending of the noun."""

    def say(match: re.Match[str]) -> str | None:
        value, noun = int(match[1]), match[2]
        if value % 100 in (11, 12) or value % 10 not in (1, 2):
            return None
        one = value % 10 == 1
        neuter = one and _NEUTER.match(noun) is not None
        return _gendered(
            code, cardinal(code, value), feminine=not neuter and _is_feminine(code, noun, one), neuter=neuter
        )

    return Rule(
        "counted",
        re.compile(
            r"(?<![\w.,:/+$€£-])(\d{1,9})(?! (?:млн|млрд|трлн|тыс|тис|руб|грн))"
            rf"(?! (?:{_SYMBOLS[code]})(?!\w))(?= ([а-яёіїєґ]{{3,}})(?!\w|\.\w))"
        ),
        say,
    )


def coins(code: str, whole: str, part: str, names: tuple[str, str]) -> Rule:
    """5 грн 50 коп.: `whole` and `part` are patterns, `names` what they are called, with their endings."""

    def say(match: re.Match[str]) -> str:
        said = []
        for digits, what in zip(match.groups(), names, strict=True):
            number = agreed(code)(cardinal(code, int(digits)), what)
            said.append(f"{number} {formed(number, what)}")
        return " ".join(said) + "." * (match[0].endswith(".") and match.end() == len(match.string))

    pattern = re.compile(rf"(?<![\w.,])(\d{{1,9}}) ?{whole} (\d{{1,2}}) ?{part}(?!\w)")
    return Rule("money", pattern, say)


def scales(code: str, scale: Mapping[str, str]) -> Rule:
    """2 млн человек; before money the rules of money know it."""

    def say(match: re.Match[str]) -> str | None:
        if re.search(r"[₽₴€$£¥] ?[\d.,]+ ?[-–] ?$", match.string[: match.start()]):
            return None  # €1-2 млн
        what = scale[match[2]]
        parts = numbers.split(match[1], ",")
        if parts is None or len(parts[0]) > LONGEST:
            return None
        number = agreed(code)(cardinal(code, int(parts[0])), what)
        if parts[1]:
            mark = "кома" if code == "uk" else "запятая"
            plain = f"{cardinal(code, int(parts[0]))} {mark} {cardinal(code, int(parts[1]))}"
            number = agreed(code)(decimals(code)(*parts) or plain, what)
        return f"{number} {formed(number, what)}"

    names = "|".join(map(re.escape, scale))
    return Rule(
        "scale",
        re.compile(
            rf"(?<![\w.,₽₴€$£¥])(?<![₽₴€$£¥][ \u00a0])({NUMBER}) ?({names})"
            r"(?!\w| ?(?:[₽₴€$£]|(?:руб\.?|грн)(?!\w)))"
        ),
        say,
    )


def halves(code: str) -> Rule:
    """1,5 минуты: полторы before a feminine noun."""
    noun = rf"(?! (?:млн|млрд|трлн|тыс|тис|{_SYMBOLS[code]})(?!\w))(?= ([а-яёіїєґ]{{3,}})(?!\w|\.\w))"
    pattern = re.compile(rf"(?<![\w.,:/+$€£-])1,5{noun}")
    return Rule("half", pattern, lambda m: _HALF[code][m[1][-1] in "ыи"])


def compounds(code: str) -> Rule:
    """3-комнатная is трёхкомнатная, 18-летний восемнадцатилетний, 50%-ный пятидесятипроцентный."""
    special = {
        "ru": {1: "одно", 40: "сорока", 90: "девяносто", 100: "сто", 1000: "тысяче"},
        "uk": {
            1: "одно",
            2: "дво",
            3: "три",
            4: "чотири",
            40: "сорока",
            90: "дев'яносто",
            100: "сто",
            1000: "тисячо",
        },
    }[code]

    def say(match: re.Match[str]) -> str | None:
        if match[1] == "1,5":
            return match[2] and f"{'полутора' if code == 'ru' else 'півтора'}{match[2]}"
        value = int(match[1])
        if value > 999 and value not in special:
            return None
        stem = special.get(value) or declined(code, value, False).replace(" ", "")
        stem = re.sub("(?<=.)одного$", "одно", stem)
        return f"{stem}{match[2] or percent + match[3]}"

    percent = "процентн" if code == "ru" else "відсотков"
    words = (
        "комнат|этаж|лет|днев|минут|часов|метров|процентн|мест|кратн|дверн|страничн|битн|литров|недельн|месячн|тонн|"
        "кімнат|поверх|річн|денн|хвилинн|годинн|відсотков|місн|сторінков|тижнев|літров"
    )
    pattern = rf"(?<![\w.,-])(1,5|[1-9]\d{{0,3}})(?:-((?:{words})\w*)|%-н(\w{{1,3}}))(?!\w)"
    return Rule("compound", re.compile(pattern), say)


def genitive(said: str, endings: Mapping[str, str]) -> str:
    """An ordinal with another ending, by its own last two letters."""
    return f"{said[:-2]}{endings[said[-2:]]}" if said[-2:] in endings else said


_DATIVE = {"ru": {"ый": "ому", "ий": "ьему", "ой": "ому"}, "uk": {"ий": "ому", "ій": "ьому"}}
_INCLUSIVE = {"ru": {"ый": "ое", "ий": "ье", "ой": "ое"}, "uk": {"ий": "е", "ій": "є"}}


def day(code: str, value: int, before: str, of: Mapping[str, str]) -> str:
    """The day of a date as what is before it asks for: к первому, по пятое, else первого; `of`: those endings."""
    if re.search(r"(?<!\w)[Кк]о? $", before):
        of = _DATIVE[code]
    elif re.search(r"(?<!\w)[Пп]о $", before):
        of = _INCLUSIVE[code]
    return genitive(ordinal(code, value), of)


def dates(
    code: str,
    months: tuple[str, ...],
    of: Mapping[str, str],
    years: Mapping[str, Mapping[str, str]],
    short: str,
) -> tuple[Rule, ...]:
    """5 марта 2024 г., and 2024 before a form of the word year; `of`: endings of the genitive."""

    def date(match: re.Match[str]) -> str | None:
        if not 1 <= int(match[1]) <= 31:
            return None
        said = f"{day(code, int(match[1]), match.string[: match.start()], of)} {match[2]}"
        if not match[3]:
            return said
        return f"{said} {genitive(ordinal(code, int(match[3])), of)} {next(word for word in years if years[word] is of)}"

    def year(match: re.Match[str]) -> str | None:
        if not 1000 <= int(match[1]) < 2100:
            return None
        dative = match[2] == "году" and re.search(r"(?<!\w)[Кк]о? $", match.string[: match.start()])
        return genitive(ordinal(code, int(match[1])), _DATIVE[code] if dative else years[match[2]])

    named = rf"(?<![\w.,])(\d{{1,2}}) ({'|'.join(months)})(?: (\d{{4}})(?: (?:{short}))?)?(?!\w)"
    return (
        Rule("date", re.compile(named), date),
        Rule("year", re.compile(rf"(?<![\w.,])(\d{{4}})(?= ({'|'.join(years)})\b)"), year),
    )


def years(
    code: str,
    short: str,
    after: tuple[str, ...],
    within: tuple[Mapping[str, str], str],
    other: tuple[Mapping[str, str], str],
) -> Rule:
    """В 2024 г.: the ordinal and the word, each with the endings after one of the words `after`, or else of."""

    def say(match: re.Match[str]) -> str | None:
        if not 1000 <= int(match[2]) < 2100:
            return None
        endings, word = within if match[1] else other
        if code == "ru" and re.search(r"(?<!\w)[Кк] $", match.string[: match.start()]):
            endings, word = _DATIVE[code], "году"
        said = f"{genitive(ordinal(code, int(match[2])), endings)} {word}"
        stop = "." if match.end() == len(match.string) else ""
        return f"{match[1] or ''}{said}{stop}"

    before = "|".join(after)
    return Rule("year", re.compile(rf"((?<!\w)(?:{before}) )?(?<![\w.,–-])(\d{{4}}) ?{short}\.(?!\w)"), say)


def weekdays(days: Mapping[str, str], since: str, until: str) -> Rule:
    """Пн–Пт: с понедельника по пятницу. `days` are short ones and the full in three cases."""
    known = "|".join(days)

    def say(match: re.Match[str]) -> str:
        first, last = (days[match[n].lower()].split(":") for n in (1, 2))
        return f"{since} {first[1]} {until} {last[2]}"

    return Rule("weekday", re.compile(rf"(?<!\w)({known})\.? ?[-–] ?({known})(?!\w)", re.I), say)


_NO_NOUNS = frozenset({"или", "как", "это", "что", "чем", "але", "або", "ніж"})


def places(cases: Mapping[str, int], names: Mapping[str, str]) -> Rule:
    """В г. Москве: the word for a town or street in the case that the word before it asks for.

    `names`: abbreviations and their five cases, nominative first; `cases`: which of them a preposition asks
    for. After a noun it is the genitive: мэр г. Москвы.
    """

    def say(match: re.Match[str]) -> str:
        before: str = match[1] or ""
        noun = len(before) > 2 and before.lower() not in _NO_NOUNS
        case = cases.get(before.lower(), int(noun))
        return f"{before} {names[match[2]].split()[case]}".strip()

    return Rule(
        "place",
        re.compile(
            rf"(?:(?<!\w)([^\W\d]+) )?(?<![\w.])(?<!\d )({'|'.join(names)})\. ?(?=[А-ЯЁІЇЄҐ][а-яёіїєґ])"
        ),
        say,
    )


def apiece(what: str) -> str:
    """What a table has, in the accusative: рублей за тонну."""
    said = formed("один", what)
    return re.sub("[ая]$", lambda m: {"а": "у", "я": "ю"}[m[0]], said) if " " not in said else said


def twice(counted: str, prefixes: str, forms: str, more: str) -> tuple[str, str, str, str]:
    """The arguments of `tables.measures` from words that hold their endings, and so are one and many alike."""
    words = ", ".join(f"{word}|{word}" for word in counted.split(", "))
    own = ", ".join(
        f"{symbol}={word}|{word}" for symbol, _, word in (pair.partition("=") for pair in more.split(", "))
    )
    return words, prefixes, forms, own


def far_ranges(code: str, since: str, until: str, words: Callable[[], Mapping[str, str]]) -> Rule:
    """1000-25000 рублей: от одной тысячи до двадцати пяти тысяч; near ones stand without a word (5-7 дней).

    `words`: units and money by their symbols. Years have rules of their own.
    """
    number = r"[1-9]\d{0,2}(?:[ \u00a0]\d{3})+|[1-9]\d{0,8}"
    pattern = rf"(?<![\w.,:/–№-])(?<!№ )({number})(?:[-–]| – )({number})(?P<unit> ?[^\s\d,;:!?()]+)?(?![\w:/–-]|[.,]\d)"

    def say(match: re.Match[str]) -> str | None:
        first, last = (int(re.sub(r"\D", "", match[n])) for n in (1, 2))
        before = match.string[: match.start()]
        symbol = (match["unit"] or "").strip()
        what = words().get(symbol) or words().get(symbol.rstrip("."))
        counted = what or re.fullmatch(
            r"(?!год[оі]в|років)[а-яіїєґ]+(?:ов|ев|ей|ів|їв|ек|іб|ень|лет)\.?", symbol
        )
        named = re.search(
            r"(?:\d|[^\W\d_]\.|\b(?:от|до|с|из|від|з|до|по|стр|статьи|страниц\w*|сторін\w*)) $", before, re.I
        )
        years = 1000 <= first < last < 2100
        if not counted and (before.strip() or last % 100 or years):  # ГОСТ 380-2005, a telephone
            return None
        if not first < last or last < 1000 or named:
            return None
        noun = f" {inflected(what, 3)}" if what else match["unit"] or ""
        said = f"{since} {declined(code, first)} {until} {declined(code, last)}{noun}"
        ended = what and symbol.endswith(".") and match.end() == len(match.string)
        return said + "." * bool(ended)

    return Rule("range", re.compile(pattern), say)
