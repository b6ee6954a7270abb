"""English of offices and courses: versions, losses in brackets, N/A explained, two versions with a stroke."""

# ruff: noqa: E501  (patterns)

from __future__ import annotations

import re
from collections.abc import Callable

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.english_words import LARGE, MONEY
from avatarlab_ops.reading.language import Language, Rule, cardinal

_SOFTWARE = (
    "Python",
    "Node",
    "Django",
    "Kubernetes",
    "Go",
    "Java",
    "PHP",
    "Ubuntu",
    "Airflow",
    "Version",
    "version",
)
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"


def rules(language: Callable[[], Language]) -> tuple[Rule, ...]:
    """Those that come before the other rules of English, which `language` gives."""
    released = "|".join(f"(?<={name} )" for name in _SOFTWARE)
    return (
        Rule("explained", re.compile(r"N/A(?=\W{1,4}(?:means |stands for |is )?not a)", re.I), lambda _: "N A"),
        Rule(
            "version", re.compile(rf"(?:{released})(\d{{1,4}})\.([1-9]\d)(?!\w|[.,]\d|%)"),
            lambda m: f"{cardinal('en', int(m[1]))} point {cardinal('en', int(m[2]))}",
        ),
        Rule(
            "loss", re.compile(rf"(?<![\w.])([$€£])\(({numbers.NUMBER})\)(?: ?(thousand|million|billion|trillion|{'|'.join(LARGE)})(?!\w))?(?:/([a-z]+))?"),
            lambda m: _loss(m, language()),
        ),
        Rule("versions", re.compile(r"(?<=[^\W\d_] )(\d{1,3})/(\d{1,3})(?![\w/.,-]\d|\w)"), _versions),
    )  # fmt: skip


def _loss(match: re.Match[str], language: Language) -> str | None:
    """$(3.4) million: less than nothing, as accounts have it."""
    said = numbers.say(match[2], language)
    scale = LARGE.get(match[3], match[3])
    each = f"per {match[4]}" if match[4] else ""
    return said and " ".join(filter(None, ("minus", said, scale, MONEY[match[1]].many, each)))


def _versions(match: re.Match[str]) -> str | None:
    """Windows 10/11: one after the other, of something with a name."""
    first, last = int(match[1]), int(match[2])
    named = re.search(r"(?<![\w.])\w*[A-Z]\w+ $", match.string[: match.start()])
    if not named or first + 1 != last or first < 4 or re.match(_MONTHS, named[0]):
        return None
    return f"{cardinal('en', first)} or {cardinal('en', last)}"
