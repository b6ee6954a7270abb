"""English: two numbers with a stroke between them that are a part of a whole, and no date."""

# ruff: noqa: E501  (patterns)

from __future__ import annotations

import re

from avatarlab_ops.reading.language import cardinal, ordinal

_PARTS = {2: "half", 4: "quarter"}


def fraction(match: re.Match[str]) -> str | None:
    """3/4, 1 1/2 and 9/11; None where it is a date."""
    whole, above, below = match[1], int(match[2]), int(match[3])
    if "0" in (match[2][0], match[3][0]) or (not whole and _dated(match)):
        return None  # 03/15 is a date, and so is 5/10 after on
    if match[0] == "9/11":
        return "nine eleven"
    if not (0 < above < below <= 100):
        return f"{cardinal('en', above)} slash {cardinal('en', below)}" if not whole else None
    part = _PARTS.get(below) or ordinal("en", below)
    many = {"half": "halves"}.get(part, f"{part}s")
    if not whole:
        return f"{cardinal('en', above)} {part if above == 1 else many}"
    said = ("a " + part) if above == 1 else f"{cardinal('en', above)} {many}"
    return f"{cardinal('en', int(whole))} and {said}"


_RELYING = re.compile(
    r"\b(?:based|depend(?:s|ed|ing)?|rel(?:y|ies|ied|ying)|focus(?:es|ed|ing)?|turn(?:s|ed)?|works?|worked|built?|"
    r"builds|cut|save[sd]?|spen[dt]|agreed?|vote[sd]?) on $",
    re.I,
)
_AFTER_A_DATE = re.compile(
    r"$|[^\w ]|\s+[^\w ]| (?:we|I|you|they|he|she|it|the|our|my|your|at|from|in|and|or|to|with|for|until|by|there)\b"
)


def _dated(match: re.Match[str]) -> bool:
    """On 5/10 at noon; but on 3/4 inch plywood, based on 3/4."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    until = r"\b(?:on|ends?|begins?|starts?|opens?|closes?|until|till|thru|through|expires?|(?:is|are) due) $"
    on = re.search(until, before, re.I) and not _RELYING.search(before)
    return bool(on and _AFTER_A_DATE.match(after))
