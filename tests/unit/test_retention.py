"""The label `retention` says how long a video is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.retention import (
    INTERMEDIATE_DAYS,
    MOST_LINK_DAYS,
    PERSON_LINK_DAYS,
    VIDEO_LINK_DAYS,
    retention_of,
)

DOCS = Path(__file__).parents[2] / "docs"


def test_days_hours_or_for_good() -> None:
    assert retention_of({"retention": "30d"}) == timedelta(days=30)
    assert retention_of({"retention": "12h"}) == timedelta(hours=12)
    assert retention_of({"campaign": "30d"}) is None


@pytest.mark.parametrize("given", ["soon", "0d", "-1d", "30", "30 d", "1.5h", ""])
def test_what_cannot_be_read_is_refused_at_once(given: str) -> None:
    asked = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}, "labels": {"retention": given}}
    with pytest.raises(RequestInvalid, match="30d or 12h"):
        AvatarRequest.parse(asked)


def test_what_the_documents_promise_holds() -> None:
    usual = f"left out: {VIDEO_LINK_DAYS} to a video, {PERSON_LINK_DAYS} for a person"
    assert f"1 to {MOST_LINK_DAYS} `days` ({usual})" in (DOCS / "api.md").read_text(encoding="utf-8")
    assert f"at most {MOST_LINK_DAYS} days" in (DOCS / "security.md").read_text(encoding="utf-8")
    assert f"nobody used for {INTERMEDIATE_DAYS} days" in (DOCS / "operations.md").read_text(encoding="utf-8")
