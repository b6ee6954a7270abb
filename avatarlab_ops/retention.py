"""How long a published video is kept: as the label `retention` says, else for good; links, intermediates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

LABEL = "retention"
# Days of a link for people without a login: at most; where nobody says, to a video and for a person.
MOST_LINK_DAYS, VIDEO_LINK_DAYS, PERSON_LINK_DAYS = 90, 7, 30
INTERMEDIATE_DAYS = 30  # of artifacts that no running render and no kept video needs, unless told otherwise
_UNITS = {"d": "days", "h": "hours"}


def retention_of(labels: Mapping[str, str]) -> timedelta | None:
    """How long the video is kept after its publication, None for good. Raises ValueError.

    >>> retention_of({"retention": "30d"})
    datetime.timedelta(days=30)
    """
    given = labels.get(LABEL)
    if given is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})([dh])", given)
    if match is None:
        raise ValueError(
            f"labels.retention is {given!r}; write days or hours, as 30d or 12h, or leave it out"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
