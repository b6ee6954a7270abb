"""Text to the tokens that the language model reads: byte pairs of lower-case English, 256 of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from avatarlab_ops.errors import EngineUnavailable

BEGIN, END = "[BOS]", "[EOS]"


class Tokens(NamedTuple):
    """ids with begin and end; for each, the index of the word that it spells, -1 between words."""

    ids: list[int]
    words: list[int]


class TextTokenizer:
    """The published tokenizer file (`tokenizers` JSON), held to the characters that it knows."""

    def __init__(self, path: Path) -> None:
        self._pairs = Tokenizer.from_file(str(path))
        vocabulary = self._pairs.get_vocab()
        missing = {BEGIN, END, " "} - vocabulary.keys()
        if missing:
            raise EngineUnavailable(f"{path} is not a tokenizer of Small-E: it lacks {sorted(missing)}")
        self._begin, self._end = vocabulary[BEGIN], vocabulary[END]
        self._alphabet = frozenset(token for token in vocabulary if len(token) == 1)

    def unknown(self, word: str) -> str:
        """Characters of a word that have no token and are left out, in order."""
        return "".join(char for char in _plain(word) if char not in self._alphabet)

    def encode(self, words: Sequence[str]) -> Tokens:
        """Words as they are said (numbers spelled out), lower-cased and without unknown characters.

        Punctuation at the ends of a word counts as between words: that is where rests are.
        """
        text, owners = "", []
        for index, word in enumerate(words):
            kept = "".join(char for char in _plain(word) if char in self._alphabet)
            if not kept:
                continue
            space = " " if text else ""
            text += space + kept
            owners += [-1] * len(space) + _owned(kept, index)
        found = self._pairs.encode(text, add_special_tokens=False)
        spelled = [max(owners[start:end], default=-1) for start, end in found.offsets]
        return Tokens([self._begin, *found.ids, self._end], [-1, *spelled, -1])


def _plain(word: str) -> str:
    """Lower case, accents taken off, typographic quotes and dashes as on a typewriter."""
    folded = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in folded if not unicodedata.combining(char)).translate(_TYPEWRITER)


_TYPEWRITER = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})  # noqa: RUF001


def _owned(word: str, index: int) -> list[int]:
    """`index` from the first letter to the last, -1 around them."""
    letters = [place for place, char in enumerate(word) if char.isalnum()]
    if not letters:
        return [-1] * len(word)
    return [index if letters[0] <= place <= letters[-1] else -1 for place in range(len(word))]
