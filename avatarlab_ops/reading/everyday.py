"""What shops, courses and tables write alike in every language: #tags, $35*, visitors/day, XS-3XL, Q1-Q3."""

# ruff: noqa: E501, RUF001  (tables; Cyrillic letters; typographic characters)

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from avatarlab_ops.reading.language import Language, Rule

_HASHTAG = {"ru": "хештег", "uk": "хештег", "ja": "ハッシュタグ", "zh": "话题"}
_CAMEL = re.compile(r"(?<=[a-zß-öø-ÿа-яёіїєґ])(?=[A-ZÀ-ÖØ-ÞА-ЯЁІЇЄҐ])")
_SIZES = r"(?:\d{0,2}X{0,3}[SL]|M)"


_PAUSES = {"zh": "，", "ja": "、"}
_LETTERS = r"[^\W\d_]"
# What stands before and after the sign of a menu's path: words, in quotation marks or none.
_FROM = re.compile(rf"{_LETTERS}[^\W\d_]+[\w.…+&/-]*[\"”“»’'*)\]]?$|{_LETTERS}[\w.…]* ?[\"”“»’')\]]$")
_TO = re.compile(rf"[\"“„«»‘'(\[]? ?({_LETTERS})[\w.…-]*{_LETTERS}")
_STEPS = re.compile(r"[^\W\d_]{2,} [>›»] ([^\W\d_])[^<>›»=]{0,30}$")  # Tools > Options
_HOURS = r"(?:[01]\d|2[0-3])[0-5]\d[-–]0\d[0-5]\d"  # 2200-0600


def _phrases(before: str, words: str) -> dict[str, str]:
    """What stands after a stroke to how it is said: "min=Minute Tag" with "pro"."""
    pairs = (word.partition("=") for word in words.split())
    return {symbol: f"{before} {said or symbol}" for symbol, _, said in pairs}


_PER: Mapping[str, Mapping[str, str]] = {
    "en": _phrases(
        "per",
        "day d=day dose week wk=week month mo=month year yr=year hour hr=hour h=hour minute min=minute second "
        "sec=second s=second night person user team",
    ),
    "de": _phrases(
        "pro",
        "Tag Woche Monat Jahr Stunde Std=Stunde h=Stunde Minute Min=Minute min=Minute Sekunde s=Sekunde "
        "Nacht Person Pers=Person Nutzer St=Stück Stk=Stück",
    ),
    "es": _phrases("por", "día hora h=hora minuto min=minuto segundo s=segundo semana mes año noche persona usuario"),
    "fr": _phrases(
        "par", "jour j=jour heure h=heure minute min=minute seconde s=seconde semaine mois an nuit personne utilisateur"
    ),
    "it": _phrases("al", "giorno die=giorno minuto min=minuto secondo s=secondo mese")
    | _phrases("a", "settimana notte persona")
    | _phrases("per", "utente")
    | {"ora": "all'ora", "h": "all'ora", "anno": "all'anno"},
    "pt_BR": _phrases(
        "por", "dia hora h=hora minuto min=minuto segundo s=segundo semana mês ano noite pessoa usuário"
    ),
    "ru": _phrases("в", "мин=минуту минуту сек=секунду секунду ч=час час день сутки сут=сутки неделю нед=неделю "
                        "мес=месяц месяц год") | {"чел": "на человека"},
    "uk": _phrases("на", "хв=хвилину хвилину сек=секунду секунду год=годину годину день добу тиждень тиж=тиждень "
                         "міс=місяць місяць рік"),
    "ja": {"分": "毎分", "秒": "毎秒", "時": "毎時", "日": "一日あたり", "週": "一週間あたり", "月": "一か月あたり", "年": "一年あたり",
           "人": "一人あたり", "回": "一回あたり"},
}  # fmt: skip


# Min. 8, max. 20, where the language's own abbreviations do not know them.
_LIMITS: Mapping[str, Mapping[str, str]] = {
    "fr": {"min": "minimum", "max": "maximum"},
    "it": {"min": "minimo", "max": "massimo"},
    "es": {"min": "mínimo", "mín": "mínimo", "max": "máximo", "máx": "máximo"},
    "pt_BR": {"min": "mínimo", "mín": "mínimo", "max": "máximo", "máx": "máximo"},
    "ru": {"мин": "минимум", "макс": "максимум"},
    "uk": {"мін": "мінімум", "макс": "максимум"},
}


def rules(language: Language) -> Iterable[Rule]:
    """Rules that go before a language's own: hashtags, number signs, sizes, codes."""
    word = (
        r"(?<![\w&/])#(?=[^\W\d_])(?![键鍵号號字をがのはとにでも]|キー|ボタン)"
        if language.unspaced
        else r"(?<![\w&/])#([^\W\d_]\w*)"
    )
    yield Rule("hashtag", re.compile(word), lambda m: _hashtag(m, language))
    named = language.signs.get("№", "")
    yield Rule("number sign", re.compile(r"(?<![\w&#*])#(?=\d+(?![\d#*]))"), lambda _: named)
    between = language.to or language.far
    sizes = rf"(?<![\w–-])({_SIZES}) ?[-–~～〜] ?({_SIZES})(?![\w–-])"
    yield Rule("sizes", re.compile(sizes), lambda m: _sizes(m, between, language))
    said_already = re.compile(r"(?<=copyright )(?:©|\(c\))|©(?= ?copyright)", re.I)
    yield Rule("copyright", said_already, lambda _: "")
    limits = _LIMITS.get(language.code, {})
    if limits:
        least = re.compile(rf"(?<![\w.])(?<!\d )({'|'.join(limits)})\. ?(?=\d)", re.I)
        yield Rule("limit", least, lambda m: limits[m[1].lower()])
    apart = " ?> ?" if language.unspaced else "(?<= )[>›»](?= )"
    yield Rule("menu", re.compile(apart), lambda m: _step(m, language))
    period = re.compile(r"(?:(?<=\bQ[1-4])|(?<=\bH[12])|(?<=\bKW \d\d))/(?=20\d\d(?!\w))")
    yield Rule("period", period, lambda _: "")
    school = re.compile(r"(?<![\w–-])K–(?=\d{1,2}(?![\w–]))")
    yield Rule("school", school, lambda _: "K")  # with a hyphen it is a code
    yield Rule("codes", re.compile(r"(?<=\d)[-–](?=[A-Z]{1,2}\d)"), lambda m: _codes(m, between))


def counts(language: Language) -> Iterable[Rule]:
    """Rules that go after those of amounts, which may hold such strokes and marks: per, articles, levels."""
    words = _PER.get(language.code, {})
    if words:
        known = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        ends = "(?![\u4e00-\u9fff/])" if language.unspaced else r"(?!\w|/)\.?(?=$|\W)"
        stroke = rf"(?:(?<=[^\W_])|(?<=[^\W_]\.)|(?<=%)) ?/ ?({known}){ends}"
        yield Rule("per", re.compile(stroke), lambda m: _per(m, words))
    article = r"(?<![\w.,–-])(\d{3,6})-(0\d{1,4})(?![\w–-]|[.,]\d)"
    yield Rule("article", re.compile(article), lambda m: _article(m, language))
    level = r"(?<=(?<![\w.])[A-Z]\d)\.(?=\d{1,2}(?![\w]|[.,]\d))"
    yield Rule("level", re.compile(level), lambda _: _point(language))
    yield Rule("footnote", re.compile(r"(?<=\S)\*{1,3}(?=$|[\s.,;:!?)])"), _footnote)
    yield Rule("hours", re.compile(r"(?<=\d:[0-5]\d) ?(?:h(?:rs)?|год\.?|ч\.?)(?!\w)"), lambda _: "")


def lasting(language: Language) -> Iterable[Rule]:
    """2:05:13 h: how long it lasts, in hours, minutes and seconds."""
    pattern = r"(?<![\w:.,])(\d{1,3}):([0-5]\d):([0-5]\d) ?(?:h|ч|год)(?:rs)?(?!\w)"
    yield Rule("duration", re.compile(pattern), lambda m: _duration(m, language))


def per(language: Language, word: str) -> str:
    """What 5 €/`word` says of a time or a person, "" for other words: "в минуту"."""
    return _PER.get(language.code, {}).get(word.rstrip("."), "")


def _hashtag(match: re.Match[str], language: Language) -> str | None:
    """#NightAtTheMuseum2026: the words of a hashtag one by one."""
    told = _HASHTAG.get(language.code, "hashtag")
    if language.unspaced:
        return told
    if not all(char.isalpha() or char.isdecimal() or char == "_" for char in match[1]):
        return None  # #X²
    parts = re.findall(r"\d+|[^\W\d_]+", match[1])
    said = [_figures(part, language) if part.isdecimal() else _CAMEL.sub(" ", part) for part in parts]
    return " ".join([told, *said])


def _figures(digits: str, language: Language) -> str:
    if re.fullmatch(r"(?:19|20)\d\d", digits):
        return language.year(int(digits))
    return language.spoken(digits) if digits[0] != "0" and len(digits) < 4 else language.digits(digits)


def _sizes(match: re.Match[str], between: str, language: Language) -> str | None:
    """XS-3XL; but S-M and L-S may be anything."""
    if not any("X" in size for size in match.groups()):
        return None
    first, last = (_size(size, language) for size in match.groups())
    return f"{first} {between} {last}"


def _size(size: str, language: Language) -> str:
    """Three X L."""
    figures = size.rstrip("XSML")
    said = [language.number(int(figures))] if figures else []
    return " ".join([*said, *size[len(figures) :]])


def _step(match: re.Match[str], language: Language) -> str | None:
    """File > Save As: a pause; Tools > Options > 5 GHz; but x > 5, temperature > threshold, and « oui » is no path."""
    before, after = _before(match).rstrip(), match.string[match.end() :].lstrip()
    last = before.split()[-1] if before else ""
    following = _TO.match(after)
    cased = following is not None and following[1] == following[1].title()
    steps = _STEPS.search(before)
    numbered = steps is not None and steps[1] == steps[1].title() and after[:1].isdigit()
    ranked = language.unspaced and re.match(r"第 ?\d", after) is not None
    if not _FROM.search(before) or not (cased or numbered or ranked):
        return None
    quoted = match[0] == "»" and "«" in match.string
    return None if quoted or any(map(str.isdigit, last)) else _PAUSES.get(language.code, ",")


def _codes(match: re.Match[str], between: str) -> str | None:
    """Q1-Q3: the word between two of one kind."""
    first = re.search(r"(?<![\w-])([A-Z]{1,2})(\d{1,3})$", _before(match))
    last = re.match(r"([A-Z]{1,2})(\d{1,3})(?![\w-])", match.string[match.end() :])
    return between if first and last and first[1] == last[1] and int(first[2]) < int(last[2]) else None


def _article(match: re.Match[str], language: Language) -> str | None:
    """4711-08 is no range, for that begins with no zero; but 2026-05 is a month."""
    if re.fullmatch(r"(?:1[5-9]|20)\d\d", match[1]) or re.fullmatch(_HOURS, match[0]):
        return None
    return f"{language.digits(match[1])} {language.web['-']} {language.digits(match[2])}"


def _point(language: Language) -> str:
    """A1.2 and H2.1."""
    return language.point if language.decimal == "." else language.web["."]


def _before(match: re.Match[str]) -> str:
    """The text before, as much of it as a number and its noun take."""
    return match.string[max(0, match.start() - 60) : match.start()]


def _per(match: re.Match[str], words: Mapping[str, str]) -> str | None:
    """72/min, 1,500 visitors/day, 5 €/month/user, 25 mg/kg/day; but men/women and an A/s."""
    if not re.search(
        r"(?<![\w/.-])\d[\d.,  ]*(?: ?(?:[^\W\d_]+\.?|[%€£₽₴]))?(?:/[^\W\d_]+)?$", _before(match)
    ):
        return None
    stop = "." if match[0].endswith(".") and match.end() == len(match.string) else ""
    return words[match[1]] + stop


def _footnote(match: re.Match[str]) -> str | None:
    """The star of a price or offer, which leads to a note: $35*, 50% off*."""
    before = _before(match)
    priced = re.search(
        r"[€$£¥₽₴] ?[\d.,]+$|\d[\d.,]* ?(?:[€%£₽₴]|EUR|руб\.|грн)$|[!?)]$|\d ?%[^.!?*]{1,20}$", before
    )
    opened = re.search(r"(?<!\w)\*[^*]*$", before)  # *so*
    ended = re.search(r"[^\W\d_]{3,}$", before) and re.match(r"[.!?](?!\w)|$", match.string[match.end() :])
    return "" if priced or (ended and not opened) else None


def _duration(match: re.Match[str], language: Language) -> str:
    said = []
    for digits, symbol in zip(match.groups(), ("h", "min", "s"), strict=True):
        if int(digits):
            one, many = language.units[symbol]
            number = language.number(int(digits))
            what = one if int(digits) == 1 else many
            said.append(f"{language.agree(number, what)} {language.form(number, what)}")
    if not said:
        return f"{language.number(0)} {language.form('', language.units['h'][1])}"
    *first, last = said
    joint = f" {language.and_} " if language.and_ else " "
    return joint.join(filter(None, (" ".join(first) if not language.and_ else ", ".join(first), last)))
