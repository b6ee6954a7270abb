"""The label `retention` says how long a video is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.retention import retention_of


def test_days_hours_or_for_good() -> None:
    assert retention_of({"retention": "30d"}) == timedelta(days=30)
    assert retention_of({"retention": "12h"}) == timedelta(hours=12)
    assert retention_of({"campaign": "30d"}) is None


@pytest.mark.parametrize("given", ["soon", "0d", "-1d", "30", "30 d", "1.5h", ""])
def test_what_cannot_be_read_is_refused_at_once(given: str) -> None:
    asked = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}, "labels": {"retention": given}}
    with pytest.raises(RequestInvalid, match="30d or 12h"):
        AvatarRequest.parse(asked)
