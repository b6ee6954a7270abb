"""Sizes: what is encoded, and how much of the footage is read for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.plan import FootageSpec, Look, Marks, Source, footage_spec, picture
from avatarlab_ops.request import AvatarRequest, Background, Output
from avatarlab_ops.stages import admit

ASPECTS = st.sampled_from(["16:9", "9:16", "1:1", "4:5", "source"])
RESOLUTIONS = st.sampled_from(["360p", "480p", "720p", "1080p", "1440p", "2160p"])
KEPT = Background()
SIDES = st.integers(64, 8000)


@pytest.mark.parametrize(
    ("aspect", "resolution", "size"),
    [
        ("16:9", "720p", (1280, 720)),
        ("9:16", "1080p", (1080, 1920)),
        ("1:1", "360p", (360, 360)),
        ("4:5", "1080p", (1080, 1350)),
        ("16:9", "480p", (854, 480)),
        ("16:9", "1440p", (2560, 1440)),
        ("9:16", "2160p", (2160, 3840)),
        ("source", "720p", (512, 512)),
    ],
)
def test_sizes_people_expect(aspect: str, resolution: str, size: tuple[int, int]) -> None:
    shape = picture(Output.model_validate({"aspect": aspect, "resolution": resolution}), KEPT, 512, 512)
    assert (shape.width, shape.height) == size


@given(ASPECTS, RESOLUTIONS, SIDES, SIDES)
def test_footage_covers_the_picture_and_no_more(
    aspect: str, resolution: str, width: int, height: int
) -> None:
    shape = picture(Output.model_validate({"aspect": aspect, "resolution": resolution}), KEPT, width, height)
    assert shape.width % 2 == 0
    assert shape.height % 2 == 0
    avatar = Source(uri="s3://inputs/a", sha256="a" * 64, bytes=1, kind="image", width=width, height=height)
    short = footage_spec(shape, avatar, Look(face_px=5000.0)).max_short_side_px
    scale = short / min(width, height)
    assert short <= min(width, height) + 1
    wanted = min(1.0, max(shape.width / width, shape.height / height))
    assert wanted <= scale <= wanted + 2 / min(width, height)


def test_footage_of_a_small_face_is_read_larger() -> None:
    """A face of 117 px in 4K still has 64 px where lips are found, though the video is small."""
    shape = picture(Output(resolution="360p"), KEPT, 3840, 2160)
    avatar = Source(uri="s3://inputs/a", sha256="a" * 64, bytes=1, kind="image", width=3840, height=2160)
    assert footage_spec(shape, avatar, Look(face_px=117.0)).max_short_side_px * 117 / 2160 >= 64
    assert footage_spec(shape, avatar, Look(face_px=800.0)).max_short_side_px == 360


def test_a_person_who_is_placed_is_read_larger_and_a_portrait_like_film_of_25_frames() -> None:
    portrait = Source(uri="s3://inputs/a", sha256="a" * 64, bytes=1, kind="image", width=3840, height=2160)
    placed = picture(Output(resolution="360p"), Background(kind="colour", colour="#112233"), 3840, 2160)
    spec = footage_spec(placed, portrait, Look(face_px=800.0))
    assert (spec.max_short_side_px, spec.fps, spec.part) == (450, 25.0, (0.0, None))
    assert not portrait.sound
    assert FootageSpec(fps=25.0, max_short_side_px=450).part == (0.0, None), "as plans before parts were kept"


@pytest.mark.parametrize(
    ("measured", "shown"),
    [
        (23.976, 24_000 / 1001), (24.0, 24), (25.01, 25), (29.9702, 30_000 / 1001), (30.0, 30), (60.4, 60),
        (59.94, 60_000 / 1001), (119.88, 60_000 / 1001), (100.0, 50), (240.0, 60), (10.0, 20), (1.0, 16),
        (27.4, 27), (None, 25),
    ],
)  # fmt: skip
def test_footage_keeps_its_own_rate_within_bounds(measured: float | None, shown: float) -> None:
    made = picture(Output(fps="source"), KEPT, 1280, 720, source_fps=measured)
    assert made.fps == pytest.approx(shown, abs=1e-9)
    clip = Source(
        uri="s3://inputs/a", sha256="a" * 64, bytes=1, kind="video", width=1280, height=720, fps=measured
    )
    assert footage_spec(made, clip, Look(face_px=300.0)).fps == pytest.approx(shown)


@pytest.mark.parametrize(
    ("measured", "taken"),
    [(33.33, "33"), (12.5, "12"), (7.5, "15"), (120.0, "60"), (29.9702, ""), (25.01, "")],
)
def test_a_rate_that_the_video_does_not_keep_is_told(measured: float, taken: str) -> None:
    asked = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a"}, "output": {"fps": "source"}}
    clip = Source(
        uri="s3://inputs/a", sha256="a" * 64, bytes=1, kind="video", width=1280, height=720, fps=measured
    )
    made = picture(Output(fps="source"), KEPT, 1280, 720, source_fps=measured)
    told = admit._rate_note(AvatarRequest.parse(asked), clip, made)
    note = f"is {measured:.4g} frames a second: {taken} is taken"
    assert [note in one for one in told] == [True] * bool(taken)


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((640, 361), (640, 360)),
        ((643, 363), (642, 362)),
    ],
)
def test_a_picture_as_its_source_is_shrunk_and_never_enlarged(
    source: tuple[int, int], size: tuple[int, int]
) -> None:
    made = picture(Output(aspect="source", resolution="720p"), Background(), *source)
    assert (made.width, made.height) == size


@pytest.mark.parametrize(
    ("intact", "told"), [(True, "which fit its bytes"), (False, "which do not fit its bytes")]
)
def test_credentials_of_an_input_are_told_as_they_are(intact: bool, told: str) -> None:
    assert str(Marks(manifest="m", issuer="CA", generator="Camera", intact=intact)).endswith(told)
