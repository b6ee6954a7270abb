"""What Spanish, French, Italian and Portuguese read alike: ordinals by gender, fractions, abbreviations."""

# ruff: noqa: RUF001  (typographic characters)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import addresses, numbers
from avatarlab_ops.reading.gender import feminine
from avatarlab_ops.reading.language import LONGEST, Language, Rule, Say, cardinal, ordinal, stopped

# What may follow a number and is not what is counted: 1 de cada 10, 1 para ti, en 2021 las ventas.
_NO_NOUN = (
    "para|por|con|sin|entre|sobre|como|que|cada|hasta|desde|menos|per|che|tra|fra|contro|com|sem|até|"
    "las|los|les|des|das|dos|nas|nos|une|unas|uma|umas|una|ella|ellas|ela|elas|elle|elles|esta|estas|essa|essas|"
    "mille|mil|min|kcal|cal|bar|ppm"
)
NOUN = rf"(?!(?:{_NO_NOUN})\b)[a-zà-öø-ÿœ]{{3,}}"
_PLURAL = {"es": "s", "fr": "sx", "it": "", "pt": "s"}  # last letters; in Italian only one follows its noun
_SPACE = " \u00a0\u202f"
_BEFORE_YEARS = (
    "en",
    "em",
    "de",
    "del",
    "año",
    "ano",
    "anno",
    "année",
    "an",
    "nel",
    "dal",
    "desde",
    "hasta",
    "até",
)
_WARM = 20  # 25º C is a temperature; 2º C is the second floor, door C, and few houses count so far
_MEASURED = re.compile(  # a 5º C; but vivo en el 5º C
    r"(?:\b(?:a|hasta|até|fino a|bajo|sobre|entre|fra|tra|unos|cerca de|mín\.|máx\.)|º ?[CF] (?:y|e|a|ou?)"
    r"|\b(?:temperatura|fiebre|febre|febbre|calor|caldo|fr[íi]o|freddo|horno|forno|agua|água|acqua)\b.*) $",
    re.I,
)
_HOUSED = re.compile(r"\b(?:piso|planta|puerta|apto\.?|andar|porta|sala|turma|piano|interno|classe) $", re.I)
# Weekdays and months that are words, too: junto al mar. 5 noches; ce jeu. 3 niveaux; due set. 3 giochi.
WORDY_DAYS = frozenset({"mar", "mer", "jeu", "sam", "ter", "seg", "sex", "dom"})
_WORDY_MONTHS = frozenset({"set"})
_IN_A_DATE = re.compile(r"(?:^|\b(?:il|al|dal|del|entro|em|de|dia|até)|l['’]) ?$", re.I)
_OF_A_LAW = re.compile(  # legge 10/2012, n. 09/2008
    r"(?:\bn[.º°]|º|\b(?:lei|ley|loi|legge|decr?et\w*|d\.?l\.|lgs\.|direc?t\w*|n[ouú]m[eé]ro|núm\.|orden|portaria|"
    r"resolu\w*|reg\w*|circola\w*|delib\w*|sent\w*|org[áa]nica|expediente|exp\.|fa[ct]tur\w*|process?o|edital|"
    r"dossier|avis|pratica|acuerdo|acordo|contrato|contratto|contrat|protocol\w*|arrêt\w*|nota|bando)):? ?$",
    re.I,
)
ROMAN = r"[IVXLCDM]+(?![\w-])"


def short(words: dict[str, str]) -> Rule:
    """Abbreviations with a full stop, which is also the sentence's at its end; also with a capital first."""
    words = _capitals(words) | words

    def say(match: re.Match[str]) -> str:
        last = match.end() == len(match.string) and match[0].endswith(".")
        return words[match[0]] + ("." if last else "")

    known = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return Rule("abbreviation", re.compile(rf"(?<![\w.])(?:{known})(?!\w)"), say, stopped(words))


def _capitals(words: Mapping[str, str]) -> dict[str, str]:
    """The abbreviations as they begin a sentence: Z. B.; but U. may be a name, D.C. a town."""
    return {
        f"{word[0].upper()}{word[1:]}": said
        for word, said in words.items()
        if len(word) > 2 and not re.fullmatch(r"[ad]\. ?C\.", word)
    }


def numero(said: str) -> Rule:
    """N° before a number, with a space or none."""
    return Rule(
        "abbreviation", re.compile(r"(?<![\w.])[nN][°º](?=[ \u00a0\u202f]?\d|(?!\w))"), lambda _: said
    )


def parts(names: Mapping[str, str], say: Callable[[int], str]) -> Rule:
    """Parts of a work by Roman numerals after their words cut short: cap. III."""

    def words(match: re.Match[str]) -> str | None:
        value = numbers.roman(match[2])
        return f"{names[match[1].lower()]} {say(value)}" if value else None

    known = "|".join(names)
    return Rule("roman", re.compile(rf"(?<![\w.])((?i:{known}))\. ?({ROMAN})"), words)


def month_year(months: tuple[str, ...], code: str, of: str) -> Rule:
    """06/2028: junio de 2028; `of` stands between them."""

    def say(match: re.Match[str]) -> str | None:
        if _OF_A_LAW.search(match.string[: match.start()]):
            return None
        return f"{months[int(match[1]) - 1]} {of}{cardinal(code, int(match[2]))}"

    return Rule("month", re.compile(r"(?<![\w./-])(0[1-9]|1[0-2])/((?:19|20)\d\d)(?![\w/-]|[.,]\d)"), say)


def fractions(words: Mapping[str, str]) -> Rule:
    """1/2 and 3/4 where the language has a word."""
    known = {unicodedata.normalize("NFKC", sign).replace("\u2044", "/"): said for sign, said in words.items()}
    return Rule("fraction", re.compile(r"(?<![\w./,-])\d/\d(?![\w/])"), lambda m: known.get(m[0]))


def ordinals(code: str, pattern: str, formed: Callable[[str, str], str]) -> Rule:
    """Digits and `pattern`, whose group is the ending; `formed` gives the ordinal that ending."""

    def say(match: re.Match[str]) -> str | None:
        if not 0 < int(match[1]) <= 1_000_000:
            return None
        if re.match(r" [CF]\b", match.string[match.end() :]):
            below = re.search(r"(?<!\S)[-\u2212]$", match.string[: match.start()])
            before = match.string[: match.start()]
            if below or _MEASURED.search(before) or (int(match[1]) >= _WARM and not _HOUSED.search(before)):
                return None
        return formed(ordinal(code, int(match[1])), match[2])

    return Rule("ordinal", re.compile(rf"(?<![\w.,])(\d+){pattern}(?!\w)"), say)


def half(code: str, masculine: str) -> Rule:
    """½ taza, 1/2 hora: media."""

    def say(match: re.Match[str]) -> str:
        return f"{masculine[:-1]}a" if feminine(code[:2], match[1]) else masculine

    return Rule("half", re.compile(rf"(?<![\w.,/])(?<!\d )(?:½|1/2)(?= ({NOUN}))"), say)


def roman(before: str, say: Callable[[int], str]) -> Rule:
    """Roman numerals after one of the words `before`, joined by |; but Maria D. Silva."""

    def words(match: re.Match[str]) -> str | None:
        if match[0] in "CDLM" and re.match(r"\. [^\W\d_]", match.string[match.end() :]):
            return None
        value = numbers.roman(match[0])
        return say(value) if value else None

    looks = "|".join(f"(?<={re.escape(word)} )" for word in before.split("|"))
    return Rule("roman", re.compile(f"(?:{looks}){ROMAN}"), words)


def roman_stop(before: str, say: Callable[[int], str]) -> Rule:
    """Roman numerals with the full stop of an ordinal, where the sentence goes on: Ludwig XIV. war."""

    def words(match: re.Match[str]) -> str | None:
        value = numbers.roman(match[1])
        return say(value) if value else None

    looks = "|".join(f"(?<={re.escape(word)} )" for word in before.split("|"))
    return Rule("roman", re.compile(rf"(?:{looks})([IVX]+)\.(?= [a-zäöüß])"), words)


def roman_before(after: str, say: Callable[[int], str]) -> Rule:
    """Roman numerals before a word: il XXI secolo."""

    def words(match: re.Match[str]) -> str | None:
        value = numbers.roman(match[0])
        return say(value) if value else None

    return Rule("roman", re.compile(rf"(?<![\w-]){ROMAN}(?= {after})"), words)


def telephones(language: Callable[[], Language], *patterns: str, say: Say | None = None) -> tuple[Rule, ...]:
    """National numbers in their usual groups; those of all countries go before."""

    def digits(match: re.Match[str]) -> str:
        return addresses.telephone(match[0], language())

    abroad = Rule("telephone", re.compile(r"(?<![\w.])\+\d(?:[ .-]?\(?\d\)?){6,}(?!\w)"), digits)
    ends = r"(?![\w-]|[.,]\d)"
    found = [re.compile(rf"(?<![\w.,+])(?:{pattern}){ends}") for pattern in patterns]
    return (abroad, *(Rule("telephone", pattern, say or digits) for pattern in found))


def formed(said: str, ending: str) -> str:
    """primero: primera before ª and a, primer before er."""
    if ending == "er":
        return said.removesuffix("o")
    return re.sub(r"o\b", "a", said) if ending[-1] in "ªa" else said


def counted(code: str, agree: Callable[[str, bool, str], str], numbered: str) -> Rule:
    """Numbers whose words follow the noun that is counted, unless they number it: after one of `numbered`.

    `agree` gives the words of a number before a noun, of which it is told whether it is feminine.
    """

    def say(match: re.Match[str]) -> str | None:
        value = int(re.sub(rf"[.{_SPACE}]", "", match[1]))
        if (value > 1 and match[2][-1] not in _PLURAL[code[:2]]) or _is_year(match):
            return None
        words = cardinal(code, value)
        if match[2] == "mil":
            return None
        agreed = agree(words, feminine(code[:2], match[2]), match[2])
        return agreed if agreed != words else None

    looks = "".join(rf"(?<!{re.escape(word)} )" for word in numbered.split("|"))
    number = rf"(\d{{1,3}}(?:[.{_SPACE}]\d{{3}})+|\d{{1,{LONGEST}}})"
    free = rf"(?<![\w.,:/+\u2212$€£¥₹-])(?<![\d$€£¥₹][{_SPACE}])"
    return Rule("counted", re.compile(rf"{free}{looks}{number}(?=[{_SPACE}]({NOUN}))"), say)


def thousands(code: str, agree: Callable[[str, bool, str], str]) -> Rule:
    """200 mil pessoas: the gender reaches the number before the thousands."""

    def say(match: re.Match[str]) -> str:
        return agree(cardinal(code, int(match[1])), feminine(code[:2], match[2]), match[2])

    return Rule(
        "counted", re.compile(rf"(?<![\w.,:/+$€£¥-])(?<![$€£¥] )(\d{{1,3}})(?= mil (?:de )?({NOUN}))"), say
    )


def shortened(names: Mapping[str, str], where: str, *, last: bool = False) -> Rule:
    """Months and weekdays cut short, at a place that `where`, a pattern around {}, describes.

    `last`: they may as well be words that end a sentence before a number.
    """
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return Rule(
        "abbreviation",
        re.compile(where.format(rf"(?P<name>{known})"), re.I),
        lambda m: names[m["name"].lower()],
        frozenset() if last else stopped(names),
    )


# No telephone: 900 100 200 euros.
NOT_COUNTED = (
    r"(?! ?(?:[€$£%]|euros?\b|mil\b|person|habitant|abitant|usuari|utent|d[oó]lar|dollar|pesos|de\b|di\b))"
)
_NO_PLURAL = (
    "des|les|dans|sans|sous|après|mais|puis|plus|pas|dos|das|las|los|nas|nos|delle|dei|degli|che|come|fine"
)


def numbering(plural: str) -> str:
    """Where an abbreviation before a number numbers: art. 3 du code, but street art. 3 expositions.

    `plural`: a pattern of the last letters of nouns that the number may count.
    """
    counts = rf" (?!(?:{_NO_PLURAL})\b)[a-zà-ÿ]{{{{2,}}}}{plural}\b"
    return rf"(?<![\w.]){{}}(?= ?(?:\d+(?!\d|{counts})|[LRD]\. ?\d))"


def dated(
    months: tuple[tuple[str, ...], Mapping[str, str]],
    weekdays: Mapping[str, str],
    to: str,
    say_date: Callable[[int, int, int | None], str],
) -> tuple[Rule, ...]:
    """13 ene. 2026, mar. 13, lun.-vie.: cut short where a number or another weekday is beside.

    `months`: the full names in order, and the short ones of each.
    """
    full, short = months
    days = "|".join(sorted(weekdays, key=len, reverse=True))
    known = "|".join(sorted(short, key=len, reverse=True))
    plain = {name: day for name, day in weekdays.items() if name not in WORDY_DAYS}
    wordy = {name: day for name, day in weekdays.items() if name in WORDY_DAYS}
    dates = rf" \d{{{{1,2}}}}(?:(?: de)? (?:{'|'.join(full)}|{known})\b|[:h/]\d| ?h\b)"

    def span(match: re.Match[str]) -> str | None:
        if " - " in match[0] and "." not in match[0] and match[0].islower():
            return None  # soleil, mer - jeu
        first, last = (weekdays[match[n].lower()] for n in (1, 2))
        joint = re.search(r"\. (au|al|alla) ", match[0])
        return f"{first} {joint[1] if joint else to} {last}"

    def date(match: re.Match[str]) -> str | None:
        day = int(match[1])
        if not 1 <= day <= 31:
            return None
        doubtful = match[2].lower() in _WORDY_MONTHS and not match[3]
        if doubtful and not _IN_A_DATE.search(match.string[: match.start()]):
            return None
        month = full.index(short[match[2].lower()]) + 1
        stop = "." if match[0].endswith(".") and match.end() == len(match.string) else ""
        return say_date(day, month, int(match[3]) if match[3] else None) + stop

    between = re.compile(
        rf"(?<!\w)({days})(?:\.? ?[-–] ?|\. (?:{to}|au|al|alla) )({days})(?:\.(?=\W*\S)|(?!\w))", re.I
    )
    ends = r"(?:\.(?=,? \w|,|$)|(?= (?:de )?\d{4}))"
    dated = rf"(?<![\w.,])(\d{{1,2}}) (?:de )?({known}){ends}(?: (?:de )?(\d{{4}})(?!\w))?"
    return (
        Rule("weekday", between, span),
        shortened(plain, r"(?<!\w){}\.(?=,? \d)"),
        shortened(wordy, rf"(?<!\w){{}}\.(?=,?{dates})"),
        Rule("date", re.compile(dated, re.I), date),
        _month_alone(short),
    )


def _month_alone(short: Mapping[str, str]) -> Rule:
    """Janv. 2026, fin févr., 1er janv.: a short month without a day in figures."""
    plain = [name for name in short if name not in WORDY_DAYS | _WORDY_MONTHS | {"mai", "mag", "ago", "out"}]
    known = "|".join(sorted(short, key=len, reverse=True))
    years = r"(?= (?:de )?(?:1[4-9]|20)\d\d(?!\d))"
    first = r"(?:(?<=1er )|(?<=1° )|(?<=1º )|(?<=1º de )|(?<=1\.º de ))"
    inside = r"(?:(?<=\ben )|(?<=\bem )|(?<=\ba )|(?<=\bde )|(?<=\bfin )|(?<=\bfine )|(?<=\bnel ))"
    alone = re.compile(
        rf"(?<!\w)({'|'.join(sorted(plain, key=len, reverse=True))})\.{years}|{inside}({known})\.{years}"
        rf"|{first}({known})\.(?=$|\W)",
        re.I,
    )

    def month(match: re.Match[str]) -> str:
        return short[match[match.lastindex or 1].lower()] + "." * (match.end() == len(match.string))

    return Rule("month", alone, month)


def names(short: str, full: tuple[str, ...]) -> dict[str, str]:
    """Abbreviations, several with a stroke, to words: "janv fév/févr ..."."""
    return {one: word for group, word in zip(short.split(), full, strict=True) for one in group.split("/")}


def _is_year(match: re.Match[str]) -> bool:
    """Whether it is rather a year: en 1492 llegan naves."""
    before = match.string[: match.start()].lower().split()[-1:]
    return re.fullmatch(r"\d{4}", match[1]) is not None and bool(before) and before[0] in _BEFORE_YEARS
