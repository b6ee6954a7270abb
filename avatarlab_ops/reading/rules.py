"""The rules that all languages share, in the order in which they take their part of a text."""

# ruff: noqa: RUF001  (typographic characters are what these rules are about)

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from avatarlab_ops.reading import addresses, amounts, everyday, halved, moments, numbers, shares, titles
from avatarlab_ops.reading.language import Language, Rule, ordinal
from avatarlab_ops.reading.numbers import AFTER_COUNTED, COUNTED, NUMBER, SIGN

_SUPER = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUB = "₀₁₂₃₄₅₆₇₈₉"
_PLAIN = str.maketrans(_SUPER + _SUB + "⁺⁻₊₋", "0123456789" * 2 + "+-+-")
# Numbered with a dash, which is no range: Table 2-1, article L. 121-1, loi n° 78-17.
_DASHED = (
    r"(?:(?<=Table )|(?<=Figure )|(?<=Fig\. )|(?<=Section )|(?<=Exercise )|(?<=Tabelle )|(?<=Abb\. )|"
    r"(?<=Tableau )|(?<=Tabla )|(?<=Tabella )|(?<=Tabela )|(?<=\b[LRD]\. )|(?<=[nN]° )|(?<=№ )|(?<=№))"
)
_LETTERED = re.compile(r"(?:\b\d*[A-Za-zα-ω]|\d|[²³)])$")  # what may stand before a minus in a formula
# What has parts with numbers of their own: versión 2.0, art. 4.2, п. 4.2.
_SECTIONED = re.compile(
    r"\b(?:Kap\.|Vers\.|Abschn\.|Abb\.|Tab\.|Ziff\.|Pos\.|Nr\.|Anh\.|Anl\.|[Ff]ig\.|version[ei]?|versión|versão|верси[яию]|версі[яію]|art\.|art[íi]culo|article|artigo|articolo|apartado|"
    r"cap\.|cap[íi]tulo|capitolo|chapitre|chap\.|secci[óo]n|seção|sezione|punto|ponto|п\.|пункт[аеу]?|разд(?:\.|ел[аеу]?)|"
    r"розд(?:\.|іл[іу]?)|гл\.|глав[аеуы]) $",
    re.I,
)
# What a number with a point may count in German, where it begins no heading: 2.5 Millionen.
_SCALES = (
    r"(?:M(?:illi|io|rd)|Tausend|Prozent|Euro|Grad|Stunde|Minute|Sekunde|Tonne|Jahr|Tag|Woche|Monat|Pfund|Dollar"
    r"|(?:Kilo|Zenti|Quadrat|Kubik)?(?:[Ll]iter|[Mm]eter|[Gg]ramm)|Kilo|Mal|EUR|USD|CHF)"
)
_STANDARD = re.compile(
    r"\b(?:ISO|IEC|DIN|EN|IEEE|ANSI|ASTM|BS|UNE|NF|UNI|NBR|ГОСТ(?: Р)?|ДСТУ|СНиП|СП)"
    r"(?:[ /](?:ISO|EN|IEC|ISO/IEC))* ?[A-Z]?[ .]?\d[\d.]*(?:-\d{1,2})*$"
)
_SPELLED = 3  # capitals beside digits: up to so many are spelled (MP3), more are a word (COVID-19)


@functools.cache
def rules(language: Language) -> tuple[Rule, ...]:
    """Every rule of a language; an earlier one takes its part of a text before a later one sees it."""
    found = _all(language)
    if language.code != "en":
        return found
    return tuple(rule._replace(pattern=numbers.grouped_by_commas(rule.pattern)) for rule in found)


def _all(language: Language) -> tuple[Rule, ...]:
    return (
        *addresses.rules(language),
        *_serials(language),
        *everyday.lasting(language),
        *halved.rules(language),
        *shares.rules(language),
        *everyday.rules(language),
        *language.own,
        *moments.rules(language),
        *addresses.codes(language),
        *amounts.rules(language),
        *everyday.counts(language),
        *_numbers(language),
        *_letters(language),
        *_signs(language),
    )


def _serials(language: Language) -> Iterable[Rule]:
    """Numbers of papers and parts, which hold years and no ranges: CVE-2024-3094, #4521-88, ISO 9001-2015."""
    name = re.compile(r"(?<![\w.-])([^\W\d_a-z]{2,})((?:-\d+){2,})(?![\w-]|[.,]\d)")
    yield Rule("serial", name, lambda m: _serial(m, language))
    paper = re.compile(r"(?<=#)\d{3,}(?:-\d+)+(?![\w-]|[.,]\d)")
    yield Rule("serial", paper, lambda m: ", ".join(map(language.digits, m[0].split("-"))))
    part = re.compile(r"(?<=\d)-(?=\d{1,2}(?!\w|[.,]\d))")
    yield Rule("part", part, lambda m: _part(m, language))
    yield Rule("edition", re.compile(r"(?<=\d)[-–](?=(?:19|20)\d\d(?!\w|[.,]\d))"), _edition)


def _serial(match: re.Match[str], language: Language) -> str | None:
    if not match[1].isupper():
        return None
    dated = [re.fullmatch(r"(?:19|20)\d\d", part) for part in match[2][1:].split("-")]
    parts = zip(match[2][1:].split("-"), dated, strict=True)
    said = (language.year(int(part)) if year else language.digits(part) for part, year in parts)
    return f"{code(match[1], language)} {', '.join(said)}"


def _part(match: re.Match[str], language: Language) -> str | None:
    """The dash between a standard and its part: DIN EN 12464-1."""
    return language.web["-"] if _STANDARD.search(match.string[: match.start()]) else None


def _edition(match: re.Match[str]) -> str | None:
    """The dash between a standard and its year."""
    return "," if _STANDARD.search(match.string[: match.start()]) else None


def _numbers(language: Language) -> Iterable[Rule]:
    """Numbers and what stands at them, then pairs of numbers, then whatever is left of figures."""
    yield from _marked(language)
    yield from _paired(language)
    yield from _plain(language)


def _pair(match: re.Match[str], language: Language, word: str | None = None) -> str:
    word = numbers.between(match[1], match[2], language) if word is None else word
    spoken = (numbers.say(match[1], language), word, numbers.say(match[2], language))
    return " ".join(filter(None, spoken))


def _marked(language: Language) -> Iterable[Rule]:
    unit = "|".join(map(re.escape, sorted(language.units, key=len, reverse=True)))
    powers = rf"(?<![\w.,])({NUMBER})(?:\^([-\u2212]?\d+)|([⁺⁻]?[{_SUPER}]+))(?: (?P<unit>{unit})(?![^\W_]))?"
    yield Rule("power", re.compile(powers), lambda m: _power(m, language))
    ion = rf"(?<=[^\W\d_])([{_SUPER}]?)([⁺⁻])(?![{_SUPER}])|(?<=[{_SUB}])([{_SUPER}]?)([⁺⁻])(?![{_SUPER}])"
    yield Rule("ion", re.compile(ion), lambda m: _ion(m, language))
    yield Rule(
        "exponent",
        re.compile(rf"(?:(?<=[^\W\d_])|(?<=\)))[⁺⁻]?[{_SUPER}]+"),
        lambda m: _exponent(m, language),
    )
    yield Rule(
        "ordinal", re.compile(rf"(?<![\w.,])(\d{{1,15}}){language.ordinal}(?:-(?=[^\W\d_])|(?!\w))", re.I),
        lambda m: ordinal(language.code, int(m[1])),
    )  # fmt: skip
    power = rf"10(?:\^|[⁺⁻{_SUPER}])"
    yield Rule("times", re.compile(rf"(?<=\d)(?: ?x ?| ?× ?)(?={power})"), lambda _: language.signs["×"])
    yield Rule(
        "by", re.compile(rf"(?<![\w.,])({NUMBER})(?:\s?x\s?|×)(?=\d)(?!{power})"),
        lambda m: " ".join(
            (numbers.say(m[1], language) or m[1],
             language.signs["×"] if "=" in m.string[m.end() :] else language.by)
        ),
    )  # fmt: skip
    if language.times:
        yield Rule(
            "factor", re.compile(rf"(?<![\w.,])({NUMBER})[x×](?!\w| [-+=*/^<>\u2212]| ?[=^<>])"),
            lambda m: _factor(m, language),
        )  # fmt: skip
    if language.decimal == ",":
        version = re.compile(
            r"(?:(?<=[^\W_] )(?<!\d )|(?<=[^\W\d_]\. ))(\d{1,3})\.(\d{1,2})(?!\w|[.,]\d| ?[-–] ?\d)"
        )
        yield Rule("version", version, lambda m: _versioned(m, language))
        section = re.compile(rf"^([1-9]\d?)\.(\d{{1,2}})(?=\.? (?!{_SCALES})[A-ZÀ-ÞА-ЯЁІЇЄҐ][^\W\d_])")
        yield Rule("section", section, lambda m: _pair(m, language, language.web["."]))


def _paired(language: Language) -> Iterable[Rule]:
    def pair(match: re.Match[str], word: str | None = None) -> str:
        return _pair(match, language, word)

    pointed = language.to if language.ratio is None else language.ratio
    yield Rule("ratio", re.compile(rf"(?<![\w:])({NUMBER}):({NUMBER})(?![\w:])"), lambda m: pair(m, pointed))
    yield Rule("ratio", re.compile(r"(?<![\w:])(\d+):(\d+)(?![\w:])"), lambda m: pair(m, pointed))
    yield Rule("dashed", re.compile(rf"{_DASHED}(\d+)-(\d+)(?![\w–-])"), lambda m: pair(m, language.web["-"]))
    name = re.compile(r"(?<![\w.-])[A-Z]{1,4}\d{3,}-\d{2,}(?![\w–-])")
    yield Rule("code", name, lambda m: code(m[0], language))  # A320-200
    yield Rule("code", re.compile(r"(?<=Boeing )(\d{3})-(\d{1,4})(?![\w–-])"), lambda m: pair(m, ""))
    yield Rule("dash", re.compile(r"(?<=[\w²³)]) [-–\u2212] (?=[\w(√])"), lambda m: _algebra(m, language))
    ranged = rf"(?<![\w.,–-])({NUMBER})(?:[-–]| – )({NUMBER})(?![\w–-])"
    yield Rule("range", re.compile(ranged), lambda m: pair(m, "," if _is_title(m) else None))
    counted = rf"{AFTER_COUNTED}(?:[-–](?=\d)| – (?=\d[\d.,]*\s?[{COUNTED}]))"
    named = r"(?:(?<![^\W\d_]\d)|(?!-\d+[^\W\d_]))"  # i7-13700K is one name
    between = rf"(?<=\d){named}[-–](?=\d)|(?<=\d) – (?=\d)|{counted}"
    yield Rule("range", re.compile(between), lambda m: _until(m, language))
    dash = re.compile(r"(?<=[\d%€$£mM.]) - (?=[$€£]?\d)")
    yield Rule("dash", dash, lambda m: _apart(m, language))
    minus = re.compile(r"(?<=\d) [–\u2212] (?=\d)|(?<![\w)])\u2212(?=\w)|(?<=\S) \u2212 (?=\S)")
    yield Rule("minus", minus, lambda _: language.minus)
    dot = re.compile(r"(?<=[\d)]) ?[·⋅] ?(?=[\d(])")
    yield Rule("times", dot, lambda _: language.signs["×"])


def _plain(language: Language) -> Iterable[Rule]:
    def say(text: str) -> str | None:
        return numbers.say(text, language)

    yield Rule("fraction", re.compile(r"(\d*)\s?([¼-¾⅐-⅞])"), lambda m: _vulgar(m, language))
    word = r"[^\W\d_][^\W\d_A-Z]+(?:-[^\W\d_]+)*(?![\w-])"
    compound = rf"(?<![\w.,)–-])({NUMBER})-(?={word})"  # 2.5-hour, 100-prozentig
    yield Rule("compound", re.compile(compound), lambda m: say(m[1]))
    mixed = re.compile(r"(?<![^\W_])(?<!\d[.,])(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[^\W_]+(?:[-_][^\W_]+)*")
    yield Rule("code", mixed, lambda m: code(m[0], language))
    yield Rule("number", re.compile(rf"{SIGN}{NUMBER}"), lambda m: say(m[0]))
    yield Rule("digits", re.compile(r"\d+"), lambda m: say(m[0]))
    yield Rule("numeral", re.compile(rf"[{_SUPER}{_SUB}]+"), lambda m: say(m[0].translate(_PLAIN)))
    yield Rule("numeral", re.compile(r"[^\W\d_]"), lambda m: _numeral(m[0], language))


def _is_title(match: re.Match[str]) -> bool:
    """Whether a pause follows the number: after Lesson 1 a dash and 5 tips, but not 5 alone."""
    named = titles.titled(match.string[: match.end(1)])
    return named and " – " in match[0] and re.match(r" [^\W\d_]", match.string[match.end() :]) is not None


def _until(match: re.Match[str], language: Language) -> str:
    """The word for a dash between what ends and what begins with a number."""
    first = re.search(rf"{NUMBER}(?=\D{{0,8}}$)", match.string[max(0, match.start() - 40) : match.start()])
    last = re.match(NUMBER, match.string[match.end() :])
    return numbers.between(first[0], last[0], language) if first and last else language.to


# 1x
_ONCE = {
    "en": "one time", "de": "einmal", "es": "una vez", "fr": "une fois", "it": "una volta",
    "pt_BR": "uma vez",
}  # fmt: skip


def _factor(match: re.Match[str], language: Language) -> str | None:
    """10x: ten times."""
    said = numbers.say(match[1], language)
    if match[1] == "1" and language.code in _ONCE:
        return _ONCE[language.code]
    return said and f"{language.agree(said, language.times)} {language.form(said, language.times)}"


def _power(match: re.Match[str], language: Language) -> str | None:
    exponent = match[2] or match[3].translate(_PLAIN)
    base, power = numbers.say(match[1], language), numbers.say(exponent, language)
    if not base or not power:
        return None
    many = f" {language.form(power, language.units[match['unit']][1])}" if match["unit"] else ""
    return language.raised(base, power) + many


def _exponent(match: re.Match[str], language: Language) -> str | None:
    before = match.string[max(0, match.start() - 30) : match.start()]
    if len(match[0]) < 3 and re.search(r"(?<![^\W_])[^\W\d_]+[a-zß-öø-ÿа-яёіїєґ]{3}$", before):
        return ""  # of a note, after a word
    known = language.signs.get(match[0])  # squared, cubed
    power = numbers.say(match[0].translate(_PLAIN), language)
    return known or (power and language.raised("", power).strip())


def _versioned(match: re.Match[str], language: Language) -> str | None:
    """USB 3.2: where decimals have a comma, a point after a name is said as one."""
    before = match.string[: match.start()]
    named = re.search(r"\b\w*[A-ZÀ-ÞА-ЯЁІЇЄҐ][\w+]*[ ]$", before)
    if not named and not _SECTIONED.search(before):
        return None
    parts = (
        language.digits(part) if part[0] == "0" else language.number(int(part)) for part in match.groups()
    )
    return f" {language.web['.']} ".join(parts)


def _ion(match: re.Match[str], language: Language) -> str:
    """Na⁺ and Ca²⁺."""
    many, sign = match[1] or match[3] or "", match[2] or match[4]
    charge = language.plus if sign == "⁺" else language.minus
    return f"{numbers.say(many.translate(_PLAIN), language) if many else ''} {charge}".strip()


def _algebra(match: re.Match[str], language: Language) -> str | None:
    """2x - 1 = 0: a dash in a formula, of which one side is a letter or a bracket."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if re.match(r"[\d.,]+(?![\w])", after) and before[-1].isdecimal():
        return None  # two numbers
    if re.search(
        r"\b(?!(?i:if|is|and|so|then|when|for|let|where|of|with|that|since)\b)[^\W\d_]{2,} [A-Z]$", before
    ):
        return None  # plan A - 5 seats
    formula = re.search(r"[=≈<>≤≥√]", match.string)
    operands = _LETTERED.search(before) and re.match(r"\d|[A-Za-zα-ω](?![^\W\d_]| [a-z]{3})|\(|√", after)
    return language.minus if formula and operands else None


def _apart(match: re.Match[str], language: Language) -> str | None:
    before, after = match.string[: match.start()], match.string[match.end() :]
    if before[-1] in "mM." and not re.search(r"\d ?[ap]\.?m\.?$", before, re.I):
        return None
    if before[-1] in "%€$£" and re.match(r"[$€£]|[\d.,]+ ?[^\W\d_]", after):
        return None  # Save 50% - 2 days only: a pause
    return shares.joint(before, after, language)


def _vulgar(match: re.Match[str], language: Language) -> str | None:
    said = language.fractions.get(match[2])
    if said is None or not match[1]:
        return said
    return f"{numbers.say(match[1], language)} {language.and_} {said}"


def _numeral(char: str, language: Language) -> str | None:
    """A number that is one character: ½, ⑤, Ⅷ."""
    if unicodedata.category(char)[0] != "N":
        return None
    return language.fractions.get(char) or language.number(int(unicodedata.numeric(char)))


def code(text: str, language: Language) -> str:
    """Letters and digits mixed: B2B, MP3, COVID-19, AB-0042-X. Long digit runs are said one by one."""
    said = []
    for part in re.findall(r"\d+|[^\W\d_]+", text):
        if part.isdecimal():
            said.append(language.number(int(part)) if _short(part) else language.digits(part))
        elif part.isalpha():
            said.append(" ".join(part) if _spelled(part) else part)
        else:
            said += [_numeral(char, language) or char for char in part]
    return " ".join(said)


def _spelled(part: str) -> bool:
    """MP3, and VIN 1HGCM: no word; COVID-19 is one."""
    voweled = not part.isascii() or re.search("[AEIOUY]", part)
    return part.isupper() and (len(part) <= _SPELLED or not voweled)


def _short(digits: str) -> bool:
    return len(digits) <= 2 and not (len(digits) > 1 and digits[0] == "0")


def _letters(language: Language) -> Iterable[Rule]:
    yield Rule(
        "greek", re.compile(r"(?<![\u0370-\u03ff])[\u0370-\u03ff](?![\u0370-\u03ff])"),  # Δt, too
        lambda m: language.greek.get(_bare(m[0]).lower()),
    )  # fmt: skip
    rare = re.compile(r"\w*[\u0180-\u024f\u1e00-\u1eff\U0001d400-\U0001d7ff\ufb00-\ufb06]\w*")
    yield Rule("letters", rare, lambda m: _bare(unicodedata.normalize("NFKC", m[0])))


def _bare(letters: str) -> str:
    """Latin and Greek letters without accents, which no voice of ours distinguishes; others (が, й) whole."""
    return "".join(_base(char) for char in unicodedata.normalize("NFC", letters))


def _base(char: str) -> str:
    decomposed = unicodedata.normalize("NFD", char)
    if decomposed[0] >= "\u0400":
        return char
    return "".join(part for part in decomposed if not unicodedata.combining(part))


def _signs(language: Language) -> Iterable[Rule]:
    single = re.compile(r"(?:(?<=^[A-Z])|(?<=[^\w/][A-Z]))/(?=[A-Z](?![\w/]))")
    yield Rule("letters", single, lambda _: "")  # an A/B test
    yield Rule("bracket", re.compile(r"[\[\]{}]"), lambda _: "")
    longest = sorted(language.signs, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest)))
    yield Rule("sign", pattern, lambda m: language.signs[m[0]])
