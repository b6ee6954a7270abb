"""Sounds written in IPA by a person, to the alphabet that hibari and Kokoro speak."""

# ruff: noqa: RUF001, RUF002  (IPA letters)

from __future__ import annotations

import re

from avatarlab_ops.engines.speech import visemes

# What dictionaries write, as the alphabet has it; sounds of two letters are one letter there.
_WRITTEN = {
    "eɪ": "A", "aɪ": "I", "oʊ": "O", "əʊ": "Q", "aʊ": "W", "ɔɪ": "Y", "dz": "ʣ", "dʑ": "ʥ", "ts": "ʦ",
    "tɕ": "ʨ", "dʒ": "ʤ", "tʃ": "ʧ", "g": "ɡ", "ɫ": "l", "ʍ": "w", "ɝ": "ɜɹ", "'": "ˈ", ":": "ː",
}  # fmt: skip
_SILENT = "\u0361\u035c\u203f\u0329\u032f.|/[]"  # ties, syllabic marks, syllables, brackets
_VOWELS = "".join(letter for letter in {*visemes.VOWELS, *"AIOQWYᵊᵻ"} if len(letter) == 1)
_ONSET = re.compile(rf"([ˈˌ])([^{_VOWELS}ˈˌ ]+)(?=[{_VOWELS}])")


def symbols(ipa: str, language: str) -> str:
    """The sounds of one word in the alphabet; "r" is the English one in English.

    Raises ValueError that names a letter which has no sound there.

    >>> symbols("təˈmɑːtəʊ", "en-GB")
    'təmˈɑːtQ'
    """
    text = ipa.translate(dict.fromkeys(map(ord, _SILENT))).strip()
    if language.partition("-")[0] == "en":
        text = text.replace("r", "ɹ")
    for written, letter in _WRITTEN.items():
        text = text.replace(written, letter)
    for letter in text:
        if letter not in visemes.MARKS and visemes.ipa(letter) not in visemes.SHAPES:
            raise ValueError(f"{letter!r} is not a sound of IPA that the voices know")
    if not any(map(visemes.is_sound, text)):
        raise ValueError("no sound is given")
    return _ONSET.sub(r"\2\1", text)  # the alphabet marks the vowel of a stressed syllable
