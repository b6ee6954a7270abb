"""What Spanish, French, Italian and Portuguese read alike: ordinals by gender, fractions, abbreviations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from avatarlab_ops.reading import addresses, numbers
from avatarlab_ops.reading.language import Language, Rule, Say, ordinal

ROMAN = r"[IVXLCDM]+(?![\w-])"


def short(words: Mapping[str, str]) -> Rule:
    """Abbreviations with a full stop, which is also the sentence's at its end."""

    def say(match: re.Match[str]) -> str:
        last = match.end() == len(match.string) and match[0].endswith(".")
        return words[match[0]] + ("." if last else "")

    known = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return Rule("abbreviation", re.compile(rf"(?<![\w.])(?:{known})(?!\w)"), say)


def fractions(words: Mapping[str, str]) -> Rule:
    """1/2 and 3/4 where the language has a word."""
    known = {unicodedata.normalize("NFKC", sign).replace("\u2044", "/"): said for sign, said in words.items()}
    return Rule("fraction", re.compile(r"(?<![\w./,-])\d/\d(?![\w/])"), lambda m: known.get(m[0]))


def ordinals(code: str, pattern: str, formed: Callable[[str, str], str]) -> Rule:
    """Digits and `pattern`, whose group is the ending; `formed` gives the ordinal that ending."""

    def say(match: re.Match[str]) -> str | None:
        if not 0 < int(match[1]) < 1000:
            return None
        return formed(ordinal(code, int(match[1])), match[2])

    return Rule("ordinal", re.compile(rf"(?<![\w.,])(\d+){pattern}(?!\w)"), say)


def roman(before: str, say: Callable[[int], str]) -> Rule:
    """Roman numerals after one of the words `before`, joined by |."""

    def words(match: re.Match[str]) -> str | None:
        value = numbers.roman(match[0])
        return say(value) if value else None

    looks = "|".join(f"(?<={re.escape(word)} )" for word in before.split("|"))
    return Rule("roman", re.compile(f"(?:{looks}){ROMAN}"), words)


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


def lone_ones(say: Callable[[str, str], str], numbered: str) -> Rule:
    """1 or 21 before what is counted, which is not the number of a chapter: after none of `numbered`."""
    looks = "".join(rf"(?<!{re.escape(word)} )" for word in numbered.split("|"))
    pattern = rf"(?<![\w.,:/+\u2212-]){looks}((?:\d*[02-9])?1)(?= ([a-zà-öø-ÿ]{{3,}}))"
    return Rule("counted", re.compile(pattern), lambda m: say(m[1], m[2]))
