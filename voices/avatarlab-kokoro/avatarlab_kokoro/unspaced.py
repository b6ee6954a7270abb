"""What languages without spaces between words share: punctuation, and which word it is written with."""

# ruff: noqa: E501, RUF001  (full-width punctuation; wide ones count twice)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from avatarlab_ops.engines.speech.spoken import SpokenWord, alphabet

LATIN = r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)*"  # a word in Latin letters
# Full-width punctuation as Kokoro's alphabet has it.
PUNCTUATION = {
    "，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";", "～": "—", "〜": "—",
    "「": "“", "」": "”", "『": "“", "』": "”", "《": "“", "》": "”", "（": "(", "）": ")", "【": "“", "】": "”",
}  # fmt: skip

_GOES_ON = re.compile(r"\d[.,:/]?$")
_AFTER_FIGURES = "年月日号號点點时時分秒元円%"  # 2024年 stays one word


def joined(tokens: Iterable[tuple[str, str]]) -> list[SpokenWord]:
    """Words of (written, sounds): punctuation and spaces go with the word before, what opens with the next.

    Figures stay together (1,299). Sounds that the alphabet lacks are left out.
    """
    found: list[SpokenWord] = []
    opening = SpokenWord("", "")
    for written, sounds in tokens:
        known = "".join(char for char in sounds if char in alphabet())
        if _opens(written):
            opening = SpokenWord(opening.text + written, opening.symbols + known.strip())
        elif (
            found
            and not opening.text
            and (not any(map(str.isalnum, written)) or _goes_on(found[-1].text, written))
        ):
            found[-1] = SpokenWord(found[-1].text + written, found[-1].symbols + known.strip())
        else:
            found.append(SpokenWord(opening.text + written, opening.symbols + known))
            opening = SpokenWord("", "")
    return [*found, opening] if opening.text else found


def _goes_on(before: str, written: str) -> bool:
    if not _GOES_ON.search(before):
        return False
    return written[0].isdecimal() or (before[-1].isdecimal() and written[0] in _AFTER_FIGURES)


def _opens(written: str) -> bool:
    return bool(written) and all(
        unicodedata.category(char) in ("Ps", "Pi") for char in written.strip() or "x"
    )
