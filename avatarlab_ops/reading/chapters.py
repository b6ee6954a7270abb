"""Where chapters begin: at the Markdown headings of a plain script, of the first and second level."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from avatarlab_ops.reading import markup
from avatarlab_ops.request import LONGEST_TITLE

_HEADING = re.compile(r"^ {0,3}#{1,2}[ \t]+(\S.*)$", re.M)


def titles(text: str) -> list[str]:
    """The headings of a plain script, without marks, in their order."""
    plain = (" ".join(markup.plain(found, []).split()) for found in _HEADING.findall(text))
    return [title[:LONGEST_TITLE] for title in plain if any(map(str.isalnum, title))]


def begins(named: Sequence[str], spoken: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(index among the sentences that are `spoken`, title) of each heading that is found among them."""
    at = 0
    for title in named:
        for index in range(at, len(spoken)):
            if spoken[index] and (spoken[index].startswith(title) or title.startswith(spoken[index])):
                yield index, title
                at = index + 1
                break
