"""English as it is read aloud: what hibari's own normaliser misses, rewritten before it sees the text.

`read_aloud` comes before that normaliser and `spell_out`, for engines that read letters, after it.

Hibari reads dates, times, units, ordinals, plain numbers and most abbreviations well. It carries a currency
over to the next number ("$20, 30 people"), drops minus signs of money, and fails on numbers beyond its
largest scale word.
"""

# ruff: noqa: RUF001  (typographic characters are what these rules are about)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from num2words import num2words

_NUM = r"\d+(?:,\d{3})*(?:\.\d+)?"
_SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "tn": "trillion",
}
_SCALE = r"(?:\s?(hundred|thousand|million|billion|trillion)\b|(bn|mn|tn|[kKmMbB])\b)?"
# symbol: (one, many, hundredth, hundredths)
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_LONGEST_NUMBER = 15  # digits; a longer one is an identifier and is read digit by digit
_HALVES = {"½": "a half", "¼": "a quarter", "¾": "three quarters", "⅓": "a third", "⅔": "two thirds"}


def _digits(match: re.Match[str]) -> str:
    return " ".join(num2words(int(digit)) for digit in match.group() if digit.isdecimal())


def _amount(number: str, symbol: str, scale: str | None) -> str:
    one, many, hundredth, hundredths = _MONEY[symbol]
    if scale:
        return f"{number} {scale} {many}"
    whole, _, fraction = number.replace(",", "").partition(".")
    if len(fraction) > 2:
        return f"{number} {many}"
    units, parts = int(whole), int(fraction.ljust(2, "0") or 0)
    said = [f"{num2words(units)} {one if units == 1 else many}"] if units or not parts else []
    said += [f"{num2words(parts)} {hundredth if parts == 1 else hundredths}"] if parts else []
    return " and ".join(said).replace(",", "")


def _money(match: re.Match[str]) -> str:
    minus, country, symbol, number, word, letter = match.groups()
    scale = word or _SCALES.get((letter or "").lower())
    prefix = {"US": "U.S. ", "C": "Canadian ", "A": "Australian ", None: ""}[country]
    amount = _amount(number, symbol, scale)
    if prefix:
        head, _, unit = amount.rpartition(" ")
        amount = f"{head} {prefix}{unit}"
    return f"{'minus ' if minus else ''}{amount}"


def _postfix(match: re.Match[str]) -> str:
    minus, _, number, symbol = match.groups()
    return f"{'minus ' if minus else ''}{_amount(number, symbol, None)}"


def _greek(match: re.Match[str]) -> str:
    """Name of a Greek letter used as a symbol ("π" is "pi")."""
    name = unicodedata.name(match.group(), "")
    return f" {name.partition('LETTER ')[2].removeprefix('FINAL ').split(' ')[0].lower()} "


def _plain_letter(match: re.Match[str]) -> str:
    """A Latin letter outside hibari's alphabet, without its marks ("ễ" is "e")."""
    folded = unicodedata.normalize("NFKD", match.group())
    base = "".join(char for char in folded if char.isascii() and char.isalnum())
    return base or match.group()


def _plain_number(match: re.Match[str]) -> str:
    """A raised, lowered or circled number ("H₂O" is "H 2 O")."""
    following = match.string[match.end() : match.end() + 1]
    return f" {unicodedata.normalize('NFKC', match.group())}{' ' if following.isalnum() else ''}"


def _said(number: str, to: str = "cardinal") -> str:
    """A number in words, without commas, hyphens and the British "and"."""
    value = Decimal(number) if "." in number else int(number)
    words = num2words(value, to=to).replace(",", "").replace("-", " ")
    return " ".join(word for word in words.split() if word != "and")


def _decade(match: re.Match[str]) -> str:
    said = _said(match.group(1), "year")
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# In this order; each rule sees what the one before it left.
_RULES: tuple[_Rule, ...] = (
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),  # a Markdown link, and hibari's own inline phoneme syntax
    (re.compile(r"[\[\]{}`]"), " "),
    (re.compile("[\u2212\u2010\u2011](?=\\S)"), "-"),  # minus sign and hyphens
    (re.compile(r"[‘’]"), "'"),
    (re.compile(r"(?<!\w)'(?=\d0s\b)"), ""),  # '90s
    (re.compile(r"(?<!\w)www\.(?=\w)", re.I), "W W W dot "),
    (re.compile(r"\b(\d{4})/(\d{2})/(\d{2})\b"), r"\1-\2-\3"),
    (re.compile(r"\b(0?[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.(\d{4})\b"), r"\2/\1/\3"),
    (re.compile(rf"([$£€]{_NUM}|{_NUM}%)\s?[-–]\s?(?=[$£€]?\d)"), r"\1 to "),
    (re.compile(rf"(?<![\w.])(-)?(US|C|A)?([$£€])\s?({_NUM}){_SCALE}"), _money),
    (re.compile(rf"(?<![\w.])(-)?()({_NUM})\s?([$£€])(?!\d)"), _postfix),
    (re.compile(rf"\d[\d,]{{{_LONGEST_NUMBER},}}"), _digits),
    (re.compile(r"(?<![\w.,:/-])0\d+(?![\w,:/-]|\.\d)"), _digits),  # 007
    (re.compile(r"\b(\d+):(\d)\b(?!:)"), r"\1 to \2"),  # 16:9
    (re.compile(r"\b(24)/(7)\b|\b(\d+)/(?=\3\b)"), lambda m: "24 7" if m.group(1) else f"{m.group(3)} "),
    (re.compile(r"(\d)\s?([½¼¾⅓⅔])"), lambda m: f"{m.group(1)} and {_HALVES[m.group(2)]}"),
    (re.compile(r"[½¼¾⅓⅔]"), lambda m: _HALVES[m.group()]),
    (re.compile(r"(?<=\w)[²³]"), lambda m: " squared" if m.group() == "²" else " cubed"),
    (re.compile(r"[²³¹\u2070-\u2079\u2080-\u2089\u2460-\u2473]"), _plain_number),
    (re.compile(r"\b(\d+) (?=[1-9]/[2-9]\b)"), r"\1 and "),
    (re.compile(r"[~≈]\s?(?=\d)"), "about "),
    (re.compile(r"√\s?(?=\w)"), "the square root of "),
    (re.compile(r"(?<![^\W\d_])[\u0391-\u03c9](?![^\W\d_])"), _greek),
    (
        re.compile(r"[\u0180-\u024f\u1e00-\u1eff\uff10-\uff5a\U0001d400-\U0001d7ff\ufb00-\ufb06]"),
        _plain_letter,
    ),
)


_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "number"}
# What hibari's normaliser leaves, in this order: its own lexicon reads plain numbers and signs.
_SPELLING: tuple[_Rule, ...] = (
    (re.compile(r"\b([1-9]\d{2}0)s\b"), _decade),
    (re.compile(r"(\d+)(?:st|nd|rd|th)\b", re.I), lambda m: _said(m.group(1), "ordinal")),
    (re.compile(r"(?<![\w.])[-\u2212](?=\d)"), "minus "),
    (
        re.compile(r"(?<![\d.,])(1[1-9]\d\d|20\d\d)(?![\d%]|[.,]\d)"),
        lambda m: f" {_said(m.group(1), 'year')} ",
    ),
    (re.compile(_NUM), lambda m: f" {_said(m.group().replace(',', ''))} "),
    (re.compile("[%&+=@#]"), lambda m: f" {_SIGNS[m.group()]} "),
)


def spell_out(text: str) -> str:
    """Write numbers and signs in words; `text` is what `read_aloud` and hibari's normaliser made of it.

    >>> spell_out("In 1999, 1,234 people paid 3.5%.")
    'In nineteen ninety nine, one thousand two hundred thirty four people paid three point five percent.'
    """
    for pattern, replacement in _SPELLING:
        text = pattern.sub(replacement, text)
    return re.sub(r" (?=[,.;:!?)])", "", " ".join(text.split()))


def read_aloud(text: str) -> str:
    """Rewrite one sentence so that hibari reads it right.

    >>> read_aloud("It cost $20, 30 people paid.")
    'It cost twenty dollars, 30 people paid.'
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())
