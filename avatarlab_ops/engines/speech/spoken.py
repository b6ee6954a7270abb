"""English words as they are said, and their sounds in hibari's alphabet, for every engine."""

from __future__ import annotations

import functools
import json
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


@functools.cache
def lexicon() -> G2P:
    """English spelling to sound: plain dictionaries, so a parent may load them before it forks."""
    return G2P()


@functools.cache
def alphabet() -> dict[str, int]:
    """Symbols that hibari speaks, and their numbers."""
    numbers: dict[str, int] = json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8"))
    return numbers
