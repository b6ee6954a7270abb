"""Money, percentages and measures: a number, or two with a dash, and what is counted."""

# ruff: noqa: RUF001, RUF002  (typographic characters are what these rules are about)

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from avatarlab_ops.reading import everyday, numbers, shares, slavic
from avatarlab_ops.reading.language import Language, Money, Rule
from avatarlab_ops.reading.numbers import NUMBER, SIGN

# Scales that are short for a word: 100K, 2M, 3 Mio., 5 mln.
_SHORT_SCALES = frozenset("K k M Md Mds Mio Mio. Mrd Mrd. Tsd. mln Mln mld Mld mi bi".split())  # noqa: SIM905
_NAMED = re.compile(r"[458]K(?!\d)")  # of a picture
_SMALLER = "min|sek|sec|seg|мин|хв|сек"  # behind a larger unit: the sentence goes on
_SIGN = rf"(?P<sign>{SIGN})"
_FIRST = rf"(?:(?P<first>{NUMBER})\s?[-–]\s?)?"
_NUMBER = rf"(?P<number>{NUMBER})"


def rules(language: Language) -> Iterable[Rule]:
    """Money before measures: "$3.5m" is no length."""
    unit, symbol = _any(language.units), _any(language.money)
    first = rf"(?:(?P<first>{NUMBER})\s?[-–]\s?(?:{symbol})?)?"
    big = rf"(?:[\s-]?(?P<scale>{_any(language.scales)})(?![^\W_]))?"
    # 6 mo.-5 yrs, a 20 lb. box, 2 hr. 15 min.
    dotted = rf"(?:\.(?=[-–]\d|[,;:)]|\s[(a-zß-öø-ÿа-яёіїєґ]|\s\d+ ?(?:{_SMALLER})))?"
    per = rf"(?:\s?/\s?(?P<per>(?:{unit})(?![^\W_])|[^\W\d_¼-¾⅐-⅞]+){dotted})?"
    code = (
        rf"(?:\s?(?P<code>{_any([one for one in language.money if re.fullmatch('[A-Z]{3}', one)])})(?!\w))?"
    )
    before = rf"(?P<symbol>{symbol})\s?{first}{_NUMBER}{big}{code}{per}(?!\d)"
    after = rf"{_FIRST}{_NUMBER}{big}\s?(?P<symbol>{symbol})(?!\w){per}"
    per_many = rf"(?:\s?/\s?(?P<each>1000?|10) ?(?P<per_many>{unit})|\s?/\s?(?P<per>{unit}){dotted})?"
    measure = rf"{_FIRST}{_NUMBER}\s?(?P<unit>{unit}){dotted}{per_many}(?![^\W_]|[-'’][^\W\d_])"
    letters = _any(
        [one for one in language.units if one == "%" or (one.isalpha() and one not in ("d", "mo"))]
    )
    joined = rf"{_NUMBER}-(?P<unit>{letters})(?:-(?=[A-ZÄÖÜ])|(?= [^\W\d_])|(?=[,.;:]?$))"
    scientific = rf"{_NUMBER}(?:e|E(?=[-+\u2212]))(?P<power>[-+\u2212]?\d{{1,3}})(?!\w|[.,]\d)"
    for kind, pattern, say in (
        ("scientific", rf"{scientific}(?:\s?(?P<unit>{unit})(?![^\W_]))?", _scientific),
        ("size", rf"{_NUMBER}(?P<more>(?: ?[x×] ?{NUMBER})+) ?(?P<unit>{unit})(?![^\W_])", _size),
        ("money", before, _money),
        ("money", after, _money),
        ("measure", measure, _measure),
        ("measure", joined, _joined),
    ):
        yield Rule(kind, re.compile(rf"(?<![\w.]){_SIGN}{pattern}"), functools.partial(say, language))
    short = [one for one in language.scales if one in _SHORT_SCALES]
    if short and language.code != "en" and not language.unspaced:  # English knows more of its letters
        scaled = (
            rf"(?<![\w.,$€£¥-]){_SIGN}{_FIRST}{_NUMBER}(?P<space> ?)(?P<scale>{_any(short)})(?!\w|[-.]\w)"
        )
        yield Rule("scale", re.compile(scaled), functools.partial(_scaled, language))

    # 5 kg-8 kg: the dash between two measures is "to", never a pause.
    counted, ends = rf"{NUMBER}\s?(?:{unit}|{symbol})(?![^\W_])", re.compile(rf"\d\s?(?:{unit}|{symbol})\.?$")
    for kind, sign in (("range", "[-–]| [-–] "), ("by", " ?[x×] ?")):
        yield Rule(kind, re.compile(rf"(?:{sign})(?={counted})"), functools.partial(_between, language, ends))


def _between(language: Language, ends: re.Pattern[str], match: re.Match[str]) -> str | None:
    """What stands between two measures: 5 kg-8 kg, 10 % - 5 %, 3 m × 4 m."""
    before = match.string[: match.start()]
    if not ends.search(before[-20:]):
        return None
    if match[0].strip() in "x×":
        return language.by
    return shares.joint(before, match.string[match.end() :], language) if match[0] == " - " else language.to


def _size(language: Language, match: re.Match[str]) -> str | None:
    """30 × 20 × 10 cm."""
    numbered = [match["sign"] + match["number"], *re.findall(NUMBER, match["more"])]
    said = [numbers.say(one, language) for one in numbered]
    if not all(said):
        return None
    what = language.units[match["unit"]][1]
    last = _counted(language, said[-1] or "", what)
    return f" {language.by} ".join([*filter(None, said[:-1]), last])


def _joined(language: Language, match: re.Match[str]) -> str | None:
    """A 10-kg bag, ein 12-V-Akku; but flats 3-W and 4-W."""
    lettered = len(match["unit"]) == 1 and not match[0].endswith("-")
    if lettered and not re.search(
        r"\b(?:an?|the|this|ein\w*|d[eia]\w|un[ae]?)\s$", match.string[: match.start()], re.I
    ):
        return None
    said = numbers.say(match["sign"] + match["number"], language)
    return said and _counted(language, said, language.units[match["unit"]][0])


def _scaled(language: Language, match: re.Match[str]) -> str | None:
    """100K users, 3 Mio. Nutzer; a letter after a space is one where de follows: 3,5 M de vues."""
    scale, after = match["scale"], match.string[match.end() :]
    letter = len(scale) == 1
    if letter and (_NAMED.fullmatch(match["number"] + scale) or re.match(r" ?[x×]", after)):
        return None
    if letter and match["space"] and not re.match(r" (?:de |d['’])", after):
        return None
    said = _range(language, match, match["sign"])
    if said is None:
        return None
    said, plain = _with_scale(language, match, said)
    of = language.of if plain not in ("mille", "mil", "mila") and re.match(r" [a-zà-ÿ]", after) else ""
    if re.match(r" (?:de|di|do|da|dos|das)\b| d['’]", after):
        of = ""
    stop = "." if scale.endswith(".") and match.end() == len(match.string) else ""
    return " ".join(filter(None, (said, plain, of))) + stop


# Of one: un million d'euros, 1,5 million (fr, pt), eine Million.
_ONE = {
    "millions": "million",
    "milliards": "milliard",
    "millones": "millón",
    "milioni": "milione",
    "miliardi": "miliardo",
    "milhões": "milhão",
    "bilhões": "bilhão",
    "Millionen": "Million",
    "Milliarden": "Milliarde",
}


def _with_scale(language: Language, match: re.Match[str], said: str) -> tuple[str, str]:
    """The number and its scale, fitted to each other."""
    scale = language.scales[match["scale"]]
    worth = None if match["first"] else numbers.value(match["number"], language)
    if worth == 1 or (worth is not None and worth < 2 and language.code in ("fr", "pt_BR")):
        scale = _ONE.get(scale, scale)
    exact = "," in match["number"]  # decimals have no gender
    agreed = said if exact and language.code not in ("ru", "uk") else language.agree(said, scale)
    return agreed, language.form(said, scale)


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _scientific(language: Language, match: re.Match[str]) -> str | None:
    """1.5e-9 m: one point five times ten to the power of minus nine meters."""
    said, power = (
        numbers.say(match["sign"] + match["number"], language),
        numbers.say(match["power"], language),
    )
    small = match["power"].isdigit() and int(match["power"]) < 3
    named = small and match["number"].isdigit() and not match["unit"]
    if said is None or power is None or (named and re.match(r"[ -][^\W\d_]", match.string[match.end() :])):
        return None  # 1e2 room is a name
    many = f" {language.form(said, language.units[match['unit']][1])}" if match["unit"] else ""
    return f"{said} {language.signs['×']} {language.raised(language.number(10), power)}{many}"


# Whether CV and ch are horses; elsewhere applications and rooms.
_ENGINE = re.compile(
    r"\b(?:mot(?:o|eu)\w*|pot[eê]n\w+|puissance|coch\w+|voiture|carr[oi]\w*|auto\w*|vehículo|veículo|veicolo|turbo|kW|di[ée]sel|Nm)\b",
    re.I,
)


def _measure(language: Language, match: re.Match[str]) -> str | None:
    if match["unit"] in ("CV", "cv", "ch") and not _ENGINE.search(match.string):
        return None
    if language.unlike(match):
        return None
    said = _range(language, match, match["sign"])
    if said is None:
        return None
    one, many = language.units[match["unit"]]
    single = _is_one(language, match) or language.modifies(match)
    return _counted(language, said, one if single else many) + _per(language, match)


def _money(language: Language, match: re.Match[str]) -> str | None:
    said = _amount(language, match)
    sign = {"": "", "+": f"{language.plus} "}.get(match["sign"], f"{language.minus} ")
    return said and f"{sign}{said}{_per(language, match)}"


def _amount(language: Language, match: re.Match[str]) -> str | None:
    money, parts = _currency(language, match), numbers.split(_digits(language, match), language.decimal)
    if parts is None:
        return None
    single = language.modifies(match)
    if match["scale"]:
        said, scale = _with_scale(language, match, _range(language, match) or "")
        plain = scale in ("mille", "mil", "mila")
        of = "" if plain else language.of
        if plain and _is_one(language, match):  # a thousand has no one before it
            said, scale = "", scale.replace("mila", "mille")
        what = money.one if single else language.form("", money.many)
        told = " ".join(word for word in (said, scale, of, what) if word)
        return _elided(language, told)
    identifier = len(parts[0]) > 1 and parts[0][0] == "0"
    first = numbers.split(match["first"] or "0", language.decimal)
    if (
        match["first"]
        and first
        and money.part
        and 2 in (len(first[1]), len(parts[1]))
        and len(parts[1]) in (0, 2)
    ):
        begin, end = (_coins(language, money, p[0], int(p[1].ljust(2, "0")[:2])) for p in (first, parts))
        return f"{begin} {language.to} {end}"  # $9.99-$19.99
    if match["first"] or len(parts[1]) > 2 or not money.part or identifier:
        ranged = _range(language, match)
        single = single or _is_one(language, match)
        return ranged and _counted(language, ranged, money.one if single else money.many)
    cents = int(parts[1].ljust(2, "0"))
    return _coins(
        language, money._replace(many=money.one) if single and not cents else money, parts[0], cents
    )


def _currency(language: Language, match: re.Match[str]) -> Money:
    """$50 USD and $ 25.000 COP are of the country that the code names."""
    code = match.groupdict().get("code")
    return language.money[code if code and match["symbol"].endswith("$") else match["symbol"]]


def _digits(language: Language, match: re.Match[str]) -> str:
    """$1,500 groups thousands in Latin America, too, where the mark of Spain's decimals is a comma."""
    if (
        language.code == "es"
        and "$" in match["symbol"]
        and re.fullmatch(r"[1-9]\d{0,2},\d{3}", match["number"])
    ):
        return match["number"].replace(",", "")
    return match["number"]


def _coins(language: Language, money: Money, whole: str, cents: int) -> str:
    said = []
    if whole != "0" or not cents:
        said.append(_counted(language, language.spoken(whole), money.one if whole == "1" else money.many))
    if cents:
        said.append(_counted(language, language.number(cents), money.part if cents == 1 else money.parts))
    return f" {language.and_} ".join(said)


def _counted(language: Language, number: str, what: str) -> str:
    return _elided(language, f"{language.agree(number, what)} {language.form(number, what)}")


def _elided(language: Language, said: str) -> str:
    return re.sub(r" de (?=[aeiouhéœ])(?!huit)", " d'", said) if language.code == "fr" else said


def _is_one(language: Language, match: re.Match[str]) -> bool:
    return match["first"] is None and numbers.is_one(match["number"], language)


def _range(language: Language, match: re.Match[str], sign: str = "") -> str | None:
    """The number, or from the first to it."""
    if match["first"] is None:
        return numbers.say(sign + match["number"], language)
    begin, end = numbers.say(sign + match["first"], language), numbers.say(match["number"], language)
    to = numbers.between(match["first"], match["number"], language)
    return begin and end and " ".join(filter(None, (begin, to, end)))


def _per(language: Language, match: re.Match[str]) -> str:
    many = match.groupdict().get("per_many")
    if many:  # 8 l/100 km
        number = language.number(int(match["each"]))
        return f" {language.each or language.per} {number} {language.form(number, language.units[many][1])}"
    if not match["per"]:
        return ""
    if language.code in ("ru", "uk"):
        return f" {_apiece(language, match['per'], money='symbol' in match.groupdict())}"
    if match["per"] not in language.units and (said := everyday.per(language, match["per"])):
        return f" {said}"
    one, _ = language.units.get(match["per"], (match["per"], ""))
    return f" {language.per} {language.form('', one)}".replace(" al ora", " all'ora")


def _apiece(language: Language, word: str, *, money: bool) -> str:
    """Рублей в минуту, рублей за килограмм, миллиграммов на килограмм."""
    what = (language.units.get(word) or (word, ""))[0]
    timed = everyday.per(language, word)
    if timed and (language.code == "ru" or "[" not in what):
        return timed
    return f"{'за' if money or timed else 'на'} {slavic.apiece(what)}"
