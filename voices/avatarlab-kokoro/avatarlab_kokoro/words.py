"""Words of a sentence with their sounds in Kokoro's alphabet, which is hibari's."""

# ruff: noqa: RUF001  (IPA letters and typographic characters)

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from avatarlab_kokoro import ESPEAK, chinese, japanese
from avatarlab_kokoro.unspaced import LATIN
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.engines.speech.spoken import SpokenWord, alphabet, given

# Sounds that the borrowed voices of a language never learned, and the nearest that they know.
_NEAREST = {
    "de": {
        "ʏ": "y", "ɔ^ø": "ɔi", "a^ɪ": "ai", "a^ʊ": "au", "p^f": "pf", "ɜ": "a", "ɑ": "a", "ə": "e", "ɾ": "r",
    },
    "uk": {"\u032a": "", "β": "v", "ʎ": "l"},
    "ru": {"ɭ": "l", "ɵ": "o", "ʑ": "ʒ"},
}  # fmt: skip
UNSPACED: dict[str, Callable[[str, Mapping[str, str]], list[SpokenWord]]] = {
    "ja": japanese.words,
    "zh": chinese.words,
}
_LATIN = re.compile(LATIN)
_LIMIT_S = 120  # for a script of an hour; it takes seconds
# Sounds of two letters that Kokoro writes as one (misaki's alphabet).
_ONE_LETTER = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
    "«": "“", "»": "”", "^": "", "-": "",
}  # fmt: skip
_CLAUSE_END = re.compile(r"[,;:.!?…—।]")


def spoken_sentences(sentences: Sequence[Sentence], language: str) -> list[list[SpokenWord]]:
    """Words of each sentence with their sounds: its own language's, and those that were given."""
    found: dict[int, list[SpokenWord]] = {}
    for spoken in dict.fromkeys(sentence.language or language for sentence in sentences):
        numbers = [n for n, one in enumerate(sentences) if (one.language or language) == spoken]
        words = spoken_words([sentences[n].spoken for n in numbers], spoken)
        found |= dict(zip(numbers, words, strict=True))
    for number, sentence in enumerate(sentences):
        if sentence.sounds and (sentence.language or language) in UNSPACED:
            found[number] = _with_given(sentence, sentence.language or language)
            continue
        for index, sounds in sentence.sounds:
            found[number][index] = given(found[number][index].text, sounds)
    return [found[number] for number in range(len(sentences))]


def _with_given(sentence: Sentence, language: str) -> list[SpokenWord]:
    """Words of a sentence without spaces but those around the words whose sounds are given."""
    sounds = dict(sentence.sounds)
    return [
        word
        for index, part in enumerate(sentence.spoken.split())
        for word in ([given(part, sounds[index])] if index in sounds else spoken_words([part], language)[0])
    ]


def written_words(text: str, language: str) -> list[str]:
    """The words that a sentence is written with; joined they are the sentence where it has no spaces."""
    if language not in UNSPACED:
        return text.split()
    return [word.text for word in UNSPACED[language](text, {})]


def spoken_words(sentences: Sequence[str], language: str) -> list[list[SpokenWord]]:
    """Words of each sentence as said, with their sounds; one question to the front end for all of them."""
    if language in UNSPACED:
        latin = dict.fromkeys(word for sentence in sentences for word in _LATIN.findall(sentence))
        (spelled,) = spoken_words([" ".join(latin)], "en-US") if latin else ([],)
        foreign = {word.text: word.symbols for word in spelled}
        return [UNSPACED[language](sentence, foreign) for sentence in sentences]
    words = [sentence.split() for sentence in sentences]
    clauses = [clause for sentence in words for clause in _clauses(sentence)]
    phones, nearest = iter(_ask(ESPEAK[language], clauses)), _NEAREST.get(language, {})
    return [
        [word for clause in _clauses(sentence) for word in _joined(clause, next(phones), nearest)]
        for sentence in words
    ]


def _clauses(words: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        found[-1].append(word)
        if _CLAUSE_END.search(_split(word)[2]):
            found.append([])
    return [clause for clause in found if clause]


def _split(word: str) -> tuple[str, str, str]:
    """What comes before, the word, what comes after."""
    inner = [index for index, char in enumerate(word) if unicodedata.category(char)[0] in "LMN"]
    if not inner:
        return "", "", word
    return word[: inner[0]], word[inner[0] : inner[-1] + 1], word[inner[-1] + 1 :]


def _ask(voice: str, clauses: Sequence[Sequence[str]]) -> list[list[str]]:
    question = [[core for word in clause if (core := _split(word)[1])] for clause in clauses]
    answered = subprocess.run(
        [sys.executable, "-m", "avatarlab_kokoro.phonemizer", voice],
        input=json.dumps(question), stdout=subprocess.PIPE, text=True, encoding="utf-8",
        check=True, timeout=_LIMIT_S, env={"PYTHONUTF8": "1"},  # no secrets
    )  # fmt: skip
    found: list[list[str]] = json.loads(answered.stdout)
    return found


def _joined(clause: Sequence[str], phones: Sequence[str], nearest: Mapping[str, str]) -> list[SpokenWord]:
    sounds = iter(_with_nearest(word, nearest) for word in phones)
    found = []
    for word in clause:
        _, core, after = _split(word)
        found.append(SpokenWord(word, symbols(next(sounds) if core else "", after)))
    return found


def _with_nearest(phones: str, nearest: Mapping[str, str]) -> str:
    for sound, near in nearest.items():
        phones = phones.replace(sound, near)
    return phones


def symbols(phones: str, after: str = "") -> str:
    """IPA of espeak-ng, and punctuation, in Kokoro's alphabet."""
    for written, letter in _ONE_LETTER.items():
        phones, after = phones.replace(written, letter), after.replace(written, letter)
    return "".join(char for char in phones + after if char in alphabet())
