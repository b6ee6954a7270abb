"""Japanese text to phrases with sounds: readings by Open JTalk (pyopenjtalk-plus, MIT and BSD)."""

# ruff: noqa: E501, RUF001, RUF003  (kana, IPA letters, full-width characters; wide ones count twice)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from avatarlab_kokoro.unspaced import PUNCTUATION, joined
from avatarlab_ops.engines.speech.spoken import SpokenWord

_VOWELS = dict(zip("アイウエオ", "aiɯeo", strict=True))
# A row of the syllabary: its consonant before a, i, u, e, o; after "/" the u where it is not ɯ.
_ROWS = {
    "カキクケコ": "k kʲ k k k", "ガギグゲゴ": "ɡ ɡʲ ɡ ɡ ɡ", "サシスセソ": "s ɕ s/ɨ s s", "ザジズゼゾ": "ʣ ʥ z/ɨ ʣ ʣ",
    "タチツテト": "t ʨ ʦ/ɨ t t", "ダヂヅデド": "d ʥ z/ɨ d d", "ナニヌネノ": "n ɲ n n n", "ハヒフヘホ": "h ç ɸ h h",
    "バビブベボ": "b bʲ b b b", "パピプペポ": "p pʲ p p p", "マミムメモ": "m mʲ m m m", "ラリルレロ": "ɾ ɾʲ ɾ ɾ ɾ",
}  # fmt: skip
_OTHERS = {
    "ヤ": "ja", "ユ": "jɯ", "ヨ": "jo", "ワ": "βa", "ヰ": "i", "ヱ": "e", "ヲ": "o", "ヴ": "vɯ", "ッ": "ʔ", "ー": "ː",
    "ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o", "ャ": "ja", "ュ": "jɯ", "ョ": "jo", "ヮ": "βa",
    "イェ": "je", "ウィ": "βi", "ウェ": "βe", "ウォ": "βo", "トゥ": "tɯ", "ドゥ": "dɯ", "ヴュ": "bʲɨ",
}  # fmt: skip
# A kana and a small one: the consonant, before the vowel of the small one.
_PALATAL = {"ャ": "a", "ュ": "ɨ", "ョ": "o", "ェ": "e"}
_BEFORE_SMALL = {"テ": "tʲ", "デ": "dʲ", "フ": "ɸ", "ツ": "ʦ", "ク": "kᵝ", "グ": "ɡᵝ", "ヴ": "v"}
_SMALL = {"ァ": "a", "ィ": "ʲi", "ェ": "e", "ォ": "o", "ュ": "ʲɨ", "ョ": "ʲo", "ャ": "ʲa"}
_NASAL = (
    (re.compile(r"ɴ(?=[mpb])"), "m"),
    (re.compile(r"ɴ(?=[kɡ])"), "ŋ"),
    (re.compile(r"ɴ(?=[tdnɾzʣʥʦʨɲ])"), "n"),
)
_NUMERALS = frozenset("〇零一二三四五六七八九十百千万億兆.")


def _kana() -> dict[str, str]:
    found = dict(_VOWELS)
    for row, consonants in _ROWS.items():
        for kana, vowel, consonant in zip(row, "aiɯeo", consonants.split(), strict=True):
            first, _, other = consonant.partition("/")
            found[kana] = first + (other or vowel)
        found |= {row[1] + small: consonants.split()[1] + vowel for small, vowel in _PALATAL.items()}
    for kana, small in product(_BEFORE_SMALL, _SMALL):
        found[kana + small] = f"{_BEFORE_SMALL[kana]}{_SMALL[small]}".replace("ʲʲ", "ʲ").replace("ᵝʲ", "ᵝ")
    return found | _OTHERS | {"ン": "ɴ"}


_KANA = _kana()


def sounds(kana: str) -> str:
    """Kana as they are said, "キョー", in Kokoro's alphabet."""
    found, at = "", 0
    while at < len(kana):
        size = 2 if kana[at : at + 2] in _KANA else 1
        found += _KANA.get(kana[at : at + size], "")
        at += size
    for pattern, nasal in _NASAL:
        found = pattern.sub(nasal, found)
    return found


def words(text: str, foreign: Mapping[str, str]) -> list[SpokenWord]:
    """Phrases whose texts joined are `text`; `foreign`: sounds of the words in Latin letters."""
    import pyopenjtalk

    nodes = pyopenjtalk.run_frontend(text, use_sudachi_kanji_yomi=False)
    phrases: list[tuple[str, str]] = []
    for written, group in _placed(text, nodes):
        said = " ".join(filter(None, (_said(node, written, foreign) for node in group)))
        if phrases and group and group[0]["chain_flag"] == 1 and phrases[-1][0][-1:].strip():
            phrases[-1] = phrases[-1][0] + written, _together(phrases[-1][1], said)
        else:
            phrases.append((written, said))
    return joined(phrases)


def _together(before: str, after: str) -> str:
    return before + after if after[:1] in "ːʔ" else f"{before} {after}"


def _said(node: Mapping[str, Any], written: str, foreign: Mapping[str, str]) -> str:
    if node["pos"] == "フィラー" and written.strip() in foreign:  # a word that Open JTalk would spell
        return foreign[written.strip()]
    if node["pos"] == "記号" and not node["mora_size"]:
        return "".join(PUNCTUATION.get(char, char) for char in written.strip())
    return sounds(node["pron"].replace("’", ""))


def _placed(text: str, nodes: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What is written, and the nodes that say it: digits become words there, all else stays as it is."""
    flat, at = "".join(map(_flat, text)), 0
    waiting: list[dict[str, Any]] = []  # nodes that are not written so, as 二千 for 2000
    for node in nodes:
        name = "".join(map(_flat, node["string"]))
        found = at if flat.startswith(name, at) or name[0] in _NUMERALS else flat.find(name, at)
        if not flat.startswith(name, max(found, 0)):
            waiting.append(node)
            continue
        if waiting and found > at:
            yield text[at:found], waiting
            at, waiting = found, []
        end = found + len(name)
        end += len(flat[end:]) - len(flat[end:].lstrip())  # spaces go with the word before
        yield text[at:end], [*waiting, node]
        at, waiting = end, []
    if waiting or at < len(text):
        yield text[at:], waiting


def _flat(char: str) -> str:
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 else char
