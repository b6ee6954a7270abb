"""The person in the picture, as a photographer would place her."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import a_plan

from avatarlab_ops.engines.base import FaceTrack
from avatarlab_ops.media.framing import OVERSCAN, Subject, place, subject
from avatarlab_ops.stages.composite import _fit

SIZES = ((1280, 720), (720, 1280), (720, 720), (720, 900))
# Head and chest in the middle of a square: crown at 60, body down to the lower edge.
PORTRAIT = Subject(
    512, 512, crown=60, eyes=130, chin=205, foot=512, middle=256, face=110,
    left=np.zeros(512), right=np.zeros(512),
)  # fmt: skip


def shown(person: Subject, size: tuple[int, int]) -> dict[str, float]:
    """Where parts of the person land, as shares of the picture."""
    (scale, _, right), (_, _, down) = place(person, size)
    rows = {
        name: (scale * getattr(person, name) + down) / size[1] for name in ("crown", "eyes", "chin", "foot")
    }
    ends = {"start": right / size[0], "end": (scale * person.width + right) / size[0]}
    return rows | ends | {"middle": (scale * person.middle + right) / size[0], "scale": float(scale)}


@pytest.mark.parametrize("size", SIZES)
def test_head_and_shoulders_get_headroom_and_stand_in_the_middle(size: tuple[int, int]) -> None:
    at = shown(PORTRAIT, size)
    assert 0.045 < at["crown"] < 0.125
    assert 0.26 < at["eyes"] < 0.40
    assert at["middle"] == pytest.approx(0.5, abs=0.01)
    assert at["foot"] >= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("middle", [120, 380])
def test_a_person_beside_the_middle_is_moved_there(size: tuple[int, int], middle: float) -> None:
    assert shown(replace(PORTRAIT, middle=middle), size)["middle"] == pytest.approx(0.5, abs=0.01)


@given(
    size=st.sampled_from(SIZES), crown=st.floats(2, 200), brow=st.floats(40, 110), jaw=st.floats(40, 110),
    body=st.floats(0.4, 1.0), middle=st.floats(60, 450),
)  # fmt: skip
def test_no_torso_floats(
    *, size: tuple[int, int], crown: float, brow: float, jaw: float, body: float, middle: float
) -> None:
    chin = crown + brow + jaw
    person = replace(
        PORTRAIT, crown=crown, eyes=crown + brow, chin=chin, foot=chin + body * (512 - chin), middle=middle
    )
    at = shown(person, size)
    assert at["foot"] >= 1
    assert at["crown"] >= 0, "the whole head is seen"


def test_a_side_cut_by_the_source_is_cut_by_the_picture() -> None:
    """Hair cut by the right edge of the source does not end in mid-air."""
    cut = np.ones(360)
    close = Subject(640, 360, 30, 170, 330, 360, 480, 200, left=np.zeros(360), right=cut)
    assert shown(close, (1280, 720))["end"] >= 1
    assert shown(close, (1280, 720))["middle"] < 0.8


def test_a_crown_beyond_the_source_is_beyond_the_picture() -> None:
    beheaded = replace(PORTRAIT, crown=0, eyes=70, chin=150)
    for size in SIZES:
        assert shown(beheaded, size)["crown"] <= 0


def test_small_people_are_not_blown_up() -> None:
    """A whole figure in a wide shot stays as sharp as the clip is."""
    figure = Subject(1920, 1080, 200, 240, 290, 1000, 960, 60, np.zeros(1080), np.zeros(1080))
    assert shown(figure, (1280, 720))["scale"] < 2.2


def test_the_person_is_read_off_matte_and_mesh() -> None:
    """One who nods: the crown is the highest of the clip, the rest the usual."""
    mattes, meshes = [], []
    for nod in (0, 10, 20):
        alpha = np.zeros((400, 300), np.uint8)
        alpha[60 + nod : 150, 100:200] = 255
        alpha[150:390, 0:250] = 255
        alpha[390:, 140:158] = 255  # a strap, narrower than any body
        mesh = np.zeros((478, 3), np.float32)
        mesh[:, 0], mesh[:, 1] = np.linspace(110, 190, 478), np.linspace(90, 180, 478)
        mesh[[33, 263], 1] = 110
        mattes.append(alpha)
        meshes.append(mesh)
    seen = subject(mattes, meshes)
    assert (seen.width, seen.height) == (300, 400)
    assert 60 <= seen.crown < 66
    assert (seen.eyes, seen.chin, seen.foot, seen.middle, seen.face) == pytest.approx(
        (110, 180, 390, 150, 80)
    )
    assert seen.left[200] == 1
    assert seen.left[100] == 0
    assert not seen.right.any()
    assert OVERSCAN < 0.05


def test_a_crown_is_seen_over_a_face_that_the_source_cuts() -> None:
    alpha = np.zeros((400, 300), np.uint8)
    alpha[60:, :80] = 255
    mesh = np.zeros((478, 3), np.float32)
    mesh[:, 0], mesh[:, 1] = np.linspace(-30, 60, 478), np.linspace(90, 180, 478)
    assert subject([alpha], [mesh]).crown == 60


def test_a_small_source_may_be_enlarged_until_it_fills_the_picture() -> None:
    """What has to be enlarged anyhow is not kept small for the sake of sharpness."""
    small = Subject(400, 300, 30, 86, 150, 300, 200, 80, np.zeros(300), np.zeros(300))
    assert shown(small, (1280, 720))["scale"] == pytest.approx(3.2, rel=0.05)


def test_edges_meet_to_the_pixel() -> None:
    """Where a side or the crown is cut by the source, that edge lies as far beyond the picture as it may."""
    close = Subject(640, 360, 0, 170, 330, 360, 480, 200, left=np.zeros(360), right=np.ones(360))
    (scale, leans, right), (leans_too, same, down) = place(close, (1280, 720))
    assert (leans, leans_too, same) == (0, 0, scale), "neither sheared nor stretched"
    first, last = -0.5, close.width - 0.5  # a pixel's centre has whole coordinates
    assert scale * last + right + 0.5 == pytest.approx((1 + OVERSCAN) * 1280)
    assert scale * first + down + 0.5 == pytest.approx(-OVERSCAN * 720)


@pytest.mark.parametrize("seen", [True, False])
def test_a_short_video_of_a_long_clip_is_cropped_around_the_face_that_it_shows(seen: bool) -> None:
    """Not around where the person stands later."""
    landmarks = np.full((500, 478, 3), 360, np.float32)
    landmarks[:125, :, 0], landmarks[125:, :, 0] = 200, 1000
    present = np.ones(500, bool)
    present[:125] = seen
    track = FaceTrack(landmarks, present, 1280, 720, 25.0)
    fit = _fit(a_plan(output={"aspect": "9:16"}), track, None, 125)
    assert 0 < fit[0, 0] * 200 + fit[0, 2] < 720
    whole = _fit(a_plan(output={"aspect": "9:16"}), track, None, 500)
    assert whole[0, 0] * 200 + whole[0, 2] < 0
