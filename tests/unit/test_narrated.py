"""What is true of a video whose voice is a recording, and of what a recording may be given for."""

from __future__ import annotations

import pytest
from plans import a_plan

from avatarlab_ops.plan import Source
from avatarlab_ops.trust import consent
from avatarlab_ops.trust.credentials import source_type

SOUND = Source(uri="s3://inputs/n.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0)


def test_an_engine_that_is_not_heard_makes_no_trained_media() -> None:
    spoken = a_plan()
    assert source_type(spoken) == "compositeWithTrainedAlgorithmicMedia"
    assert source_type(spoken.model_copy(update={"narration": SOUND})) == "compositeSynthetic"


@pytest.mark.parametrize(
    ("kind", "sound", "held"),
    [
        ("image", False, ("likeness",)),
        ("video", False, ("likeness",)),
        ("video", True, ("likeness", "voice")),
        ("audio", True, ("voice",)),
    ],
)
def test_a_clip_with_sound_holds_a_voice_too(kind: str, sound: bool, held: tuple[str, ...]) -> None:
    assert consent.holds(kind, sound=sound) == held
