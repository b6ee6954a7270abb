"""Where a word that is longer than a line is broken, by rules that need no dictionary.

Latin, Cyrillic and Greek words are broken before a consonant and its vowel, as German and the Romance
languages divide, with a hyphen; addresses at their signs, without one; Chinese and Japanese before no sign
that begins no line (JIS X 4051), after none that opens.
"""

# ruff: noqa: RUF001  (letters of many scripts)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from wcwidth import iter_graphemes, wcswidth

HYPHEN = "-"
_HYPHENATED = ("LATIN", "CYRILLIC", "GREEK")
_VOWELS = frozenset("aeiouyæøœıаеиоуыэюяіієαεηιουω")
# What goes to the next line with the vowel after it; of other consonants the last alone.
_ONSET = re.compile(r"sch|[cpst]h|ck|qu|[bcdfgkptvw][rl]|[^\W\d_]")
_SMALL_KANA = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ"
_NOT_FIRST = frozenset(_SMALL_KANA + "ーゝゞヽヾ々〻、。，．・：；？！‐〜～…‥,.:;?!%‰°”’")
_BAD, _WRITTEN = 1000, 8  # letters away from the middle that a break is worse for, or a written hyphen better
_ADDRESS = re.compile(r"[@/\\]|\w\.\w")


def pieces(word: str, line_chars: int) -> list[str]:
    """The word in about equal pieces of at most so many cells (see `cells`), hyphens included.

    >>> pieces("Donaudampfschifffahrtsgesellschaft,", 24)
    ['Donaudampfschiff-', 'fahrtsgesellschaft,']
    >>> pieces("コンピューターグラフィックス", 24)
    ['コンピューター', 'グラフィックス']
    """
    letters = list(iter_graphemes(word))
    count = -(-cells(word) // line_chars) or 1
    while count < len(letters):
        found = list(_cut(letters, count, line_chars))
        if all(cells(piece) <= line_chars for piece in found):
            return found
        count += 1
    return letters or [word]


def cells(text: str) -> int:
    """How wide a text is, in Latin letters: a Chinese or Japanese one takes two, a mark none (UAX 11)."""
    return max(wcswidth(text), 0)


def _cut(letters: Sequence[str], count: int, line_chars: int) -> Iterator[str]:
    address = bool(_ADDRESS.search("".join(letters)))
    edges = [0]
    for left in range(count, 1, -1):
        first = edges[-1]
        ideal = first + (len(letters) - first) / left
        fitting = [at for at in range(first + 1, len(letters)) if _fits(letters, first, at, line_chars)]
        costs = {at: abs(at - ideal) + _cost(letters, at, address=address) for at in fitting}
        edges.append(min(costs, key=lambda at: costs[at]) if costs else round(ideal))
    for first, last in pairwise([*_needed(letters, edges, line_chars), len(letters)]):
        hyphen = HYPHEN if last < len(letters) and not address and _within(letters, last) else ""
        yield "".join(letters[first:last]) + hyphen


def _needed(letters: Sequence[str], edges: Sequence[int], line_chars: int) -> Iterator[int]:
    """The breaks without those whose pieces fit in one line: good ones may lie far from the middle."""
    first = edges[0]
    yield first
    for at, after in pairwise([*edges[1:], len(letters)]):
        if not _fits(letters, first, after, line_chars):
            yield at
            first = at


def _fits(letters: Sequence[str], first: int, last: int, line_chars: int) -> bool:
    return cells("".join(letters[first:last])) + _within(letters, last) <= line_chars


def _within(letters: Sequence[str], at: int) -> bool:
    """Whether a break there falls between two letters that a hyphen joins."""
    return all(_hyphenated(one) for one in letters[at - 1 : at + 1])


def _hyphenated(letter: str) -> bool:
    return letter[0].isalpha() and unicodedata.name(letter[0], "").startswith(_HYPHENATED)


def _cost(letters: Sequence[str], at: int, *, address: bool) -> float:
    """How bad a break there is, as letters that it lies away from the middle."""
    before, after = letters[at - 1][0], letters[at][0]
    if after in _NOT_FIRST or unicodedata.category(after) in ("Pe", "Pf"):
        return 2 * _BAD
    if unicodedata.category(before) in ("Ps", "Pi") or (before.isdecimal() and after.isdecimal()):
        return 2 * _BAD
    if address:
        return 0 if before in "@/\\-_" or after == "." else _BAD
    if before == HYPHEN:
        return -_WRITTEN
    return 0 if not _within(letters, at) or _begins_syllable(letters, at) else _BAD


def _begins_syllable(letters: Sequence[str], at: int) -> bool:
    text = "".join(unicodedata.normalize("NFD", one)[0].lower() for one in letters)
    onset, earlier = _ONSET.match(text, at), _ONSET.match(text, at - 1)
    if onset is None or text[at] in _VOWELS or (earlier is not None and earlier.end() > at):
        return False
    return text[onset.end() : onset.end() + 1] in _VOWELS and any(one in _VOWELS for one in text[:at])
