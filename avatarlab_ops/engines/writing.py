"""Which writing systems a text is written in, and whether a speech engine reads them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from avatarlab_ops import engines
from avatarlab_ops.errors import ScriptRefused

_LETTERS = re.compile(r"[^\W\d_]+")
_SYMBOL = re.compile(r"(?<![\u0370-\u03ff])[\u0370-\u03ff](?![\u0370-\u03ff])")  # Δt, kΩ
_NAMES = {"CJK": "Han", "IDEOGRAPHIC": "Han"}
_LETTERLIKE = frozenset({"MICRO", "FEMININE", "MASCULINE", "MODIFIER"})  # signs filed among the letters


def systems(text: str) -> tuple[str, ...]:
    """Unicode scripts of the letters, most frequent first, such as ("Latin", "Cyrillic").

    A Greek letter with no other beside it is a symbol (π, Δt, kΩ) and does not count.
    """
    found: Counter[str] = Counter()
    for run in _LETTERS.findall(_SYMBOL.sub("", text)):
        found.update(name for name in map(_system, run) if name)
    return tuple(name for name, _ in found.most_common())


def _system(letter: str) -> str | None:
    if not unicodedata.category(letter).startswith("L"):  # ½ and ² are numbers to Unicode, \w to a pattern
        return None
    if unicodedata.name(letter, "").split(" ")[0] in _LETTERLIKE:
        return None
    plain = unicodedata.normalize("NFKC", letter)[0]  # full-width and mathematical letters are Latin
    first = re.split(r"[ -]", unicodedata.name(plain, "UNKNOWN"))[0]
    return _NAMES.get(first, first.capitalize())


def check(text: str, engine: str, language: str) -> None:
    """Raise ScriptRefused for letters that the engine does not read in this language, a BCP 47 tag."""
    info = engines.info("speech", engine)
    read = info.reads(language)
    foreign = [name for name in systems(text) if name not in read]
    if not foreign:
        return
    first = next(word for word in _LETTERS.findall(text) if set(systems(word)) & set(foreign))
    able = list(_able(foreign))
    raise ScriptRefused(
        f"the script is written in {_listed(foreign)}, but the speech engine {engine!r} speaks only "
        f"{_listed(read)}{f' in {language}' if len(info.languages) > 1 else ''}; "
        f"{'engines that can: ' + ', '.join(able) if able else 'no installed engine can'}; "
        f"the first such letters: {first[:30]!r}"
    )


def _able(foreign: Collection[str]) -> Iterator[str]:
    """Engines that read these writing systems, each with the languages in which it does, unless in all."""
    for name in engines.names("speech"):
        info = engines.info("speech", name)
        languages = [one for one in info.languages if set(foreign) <= set(info.reads(one))]
        if languages:
            yield name if len(languages) == len(info.languages) else f"{name} ({', '.join(languages)})"


def _listed(items: Iterable[str]) -> str:
    *head, last = items
    return f"{', '.join(head)} and {last}" if head else last
