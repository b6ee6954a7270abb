"""A part of a clip may end where its length is told to end."""

from __future__ import annotations

import re

import pytest

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.plan import Source
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.stages.admit import _check_part


def _check(end_s: float) -> None:
    avatar = {"uri": "s3://inputs/a.mp4", "end_s": end_s}
    asked = AvatarRequest.parse({"script": "Hi.", "avatar": avatar})
    clip = Source(
        uri="s3://inputs/a.mp4", sha256="a" * 64, bytes=9, kind="video", width=1280, height=720,
        duration_s=299 * 1001 / 30_000,
    )  # fmt: skip
    _check_part(asked, clip)


def test_the_length_that_a_refusal_tells_is_allowed() -> None:
    with pytest.raises(RequestInvalid) as refusal:
        _check(12.0)
    told = re.search(r"which lasts ([\d.]+) s", str(refusal.value))
    assert told is not None
    assert told[1] == "9.98"
    _check(float(told[1]))
    with pytest.raises(RequestInvalid):
        _check(9.99)
