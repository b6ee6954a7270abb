"""Where chapters begin: at the Markdown headings of a plain script, of the first and second level."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from avatarlab_ops.reading import markup
from avatarlab_ops.request import LONGEST_TITLE

_FENCED = r"^ {0,3}(?P<fence>```|~~~)[^`\n]*$.*?(?:^ {0,3}(?P=fence)|\Z)"  # code, whose "#" begins a comment
_HEADING = re.compile(rf"{_FENCED}|^(?P<heading> {{0,3}}#{{1,2}}[ \t]+)(?=\S)", re.M | re.S)
_MARK = "\ue002"  # private, so in no script: before a heading's words


def titles(text: str) -> list[tuple[int, str]]:
    """(letters and digits before it, title without marks) of each heading of a plain, clean script."""
    before, *headed = markup.plain(_HEADING.sub(_marked, text), []).split(_MARK)
    starts = accumulate(map(_count, [before, *headed]))
    named = (" ".join(one.partition("\n")[0].split())[:LONGEST_TITLE] for one in headed)
    return [(start, title) for start, title in zip(starts, named, strict=False) if _count(title)]


def _marked(found: re.Match[str]) -> str:
    return f"{found[0]}{_MARK}" if found["heading"] else found[0]


def begins(named: Sequence[tuple[int, str]], spoken: Sequence[str]) -> Iterator[tuple[int | None, str]]:
    """(index among the sentences that are `spoken`, title) of each heading, None where it begins none.

    Sentences hold every letter and digit of the script, whatever else was left out.
    """
    counts = list(accumulate(map(_count, spoken), initial=0))
    at = {start: index for index, start in reversed(list(enumerate(counts[:-1])))}
    for start, title in named:
        yield at.get(start), title


def _count(text: str) -> int:
    return sum(map(str.isalnum, text))
