"""English words as they are said, and their sounds in hibari's alphabet, for every engine."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hibari.g2p import G2P
from hibari.g2p.normalize import normalize
from hibari.tts import ASSETS


@dataclass(frozen=True)
class SpokenWord:
    """One word as read aloud and its symbols in hibari's alphabet ("" for punctuation it ignores)."""

    text: str
    symbols: str


def spoken_words(text: str) -> list[SpokenWord]:
    """Words of one sentence as it is said: `text` is what `avatarlab_ops.reading` made of it."""
    tokens = lexicon().phonemize_tokens(lexicon().tokenize(normalize(text)))
    known = alphabet()
    words: list[SpokenWord] = []
    letters = symbols = ""
    for token in tokens:
        letters += token.text
        symbols += "".join(char for char in token.phonemes or "" if char in known)
        if token.whitespace:
            words.append(SpokenWord(letters, symbols))
            letters = symbols = ""
    words.append(SpokenWord(letters, symbols))
    return words


def spoken_with(text: str, sounds: Sequence[tuple[int, str]]) -> list[SpokenWord]:
    """Words of one sentence; `sounds` gives some words' own: (index among the words of `text`, symbols)."""
    written, words, at = text.split(), list[SpokenWord](), 0
    for index, symbols in sounds:
        words += spoken_words(" ".join(written[at:index])) if index > at else []
        words.append(given(written[index], symbols))
        at = index + 1
    return words + (spoken_words(" ".join(written[at:])) if at < len(written) else [])


def given(word: str, symbols: str) -> SpokenWord:
    """A word with these sounds; punctuation after it, and an English possessive, are said with it."""
    _, ending, after = re.fullmatch(r"(.*?)(['\u2019]s)?(\W*)", word, re.S).groups()  # type: ignore[union-attr]
    if ending:
        last = symbols.rstrip("ˈˌː")[-1:]
        symbols += "ᵻz" if last in "szʃʒʧʤʦʣ" else "s" if last in "ptkfθ" else "z"
    return SpokenWord(word, symbols + "".join(char for char in after if char in alphabet()))


@functools.cache
def lexicon() -> G2P:
    """English spelling to sound: plain dictionaries, so a parent may load them before it forks."""
    return G2P()


@functools.cache
def alphabet() -> dict[str, int]:
    """Symbols that hibari speaks, and their numbers."""
    numbers: dict[str, int] = json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8"))
    return numbers
