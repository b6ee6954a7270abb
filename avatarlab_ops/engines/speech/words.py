"""Which written word each spoken word belongs to ("$20" is one written word and two spoken ones)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

_SILENT = frozenset("-–—…·•.,;:!?()\"'“”‘’«»")  # noqa: RUF001


def align(written: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Index of the written word for each spoken word: ascending, and within range when anything was written.

    Words that both sides share are anchors; what was rewritten between two anchors is shared out in order,
    among what is written with more than punctuation.

    >>> align(["Dr.", "Smith", "paid", "$20."], ["Dr", "Smith", "paid", "twenty", "dollars."])
    [0, 1, 2, 3, 3]
    """
    places = [index for index, word in enumerate(written) if word in spoken or not set(word) <= _SILENT]
    places = places or list(range(len(written)))
    owners = _align([written[place] for place in places], spoken)
    return [places[owner] for owner in owners]


def _align(written: Sequence[str], spoken: Sequence[str]) -> list[int]:
    owners: list[int] = []
    matcher = SequenceMatcher(
        None, [_key(word) for word in written], [_key(word) for word in spoken], autojunk=False
    )
    for _, start, stop, spoken_start, spoken_stop in matcher.get_opcodes():
        count = spoken_stop - spoken_start
        if start == stop:  # a word that is spoken and not written counts to the one before it
            owners += [max(start - 1, 0)] * count
        else:
            owners += [start + index * (stop - start) // count for index in range(count)]
    return owners


def _key(word: str) -> str:
    return "".join(char for char in word.casefold() if char.isalnum()) or word
