"""Landmarks lie where the eyes and the mouth are, however the head is turned, placed or sized."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatarlab_ops.engines.face.landmarker import Landmarker
from avatarlab_ops.engines.face.pose import pose
from avatarlab_ops.engines.tflite import no_chatter

# Read off the picture by eye, in pixels.
RIGHT_PUPIL, LEFT_PUPIL, MOUTH, CHIN = (203, 100), (247, 103), (223, 146), (221, 178)
LOOK = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def mesh(landmarker, astronaut):
    found = landmarker.landmarks(astronaut)
    assert found is not None
    return found[0]


def moved(picture, turn_deg, scale, size=(512, 512)):
    """The astronaut turned and scaled about her nose, which comes to the middle; and the map applied."""
    matrix = cv2.getRotationMatrix2D((224, 130), turn_deg, scale)
    matrix[:, 2] += np.array(size) / 2 - (224, 130)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), matrix


def test_the_mesh_lies_on_eyes_mouth_and_chin(mesh):
    mouth = (mesh[13, :2] + mesh[14, :2]) / 2
    for point, expected in ((mesh[468, :2], RIGHT_PUPIL), (mesh[473, :2], LEFT_PUPIL), (mouth, MOUTH)):
        assert np.hypot(*(point - expected)) < 2.5
    assert np.hypot(*(mesh[152, :2] - CHIN)) < 4
    assert mesh.dtype == np.float32
    assert mesh.shape == (478, 3)
    assert mesh[1, 2] < mesh[[234, 454], 2].min()  # the nose is nearer than the cheeks


def test_irises_are_rings_around_the_pupils(mesh):
    for centre, ring in ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477))):
        radii = np.hypot(*(mesh[list(ring), :2] - mesh[centre, :2]).T)
        assert radii.min() > 1.5
        assert radii.max() < 6


def test_the_detector_boxes_the_face_and_its_parts(landmarker, astronaut):
    (found,) = landmarker.faces(astronaut)
    face = found.detection
    left, top, right, bottom = face.box
    assert left < RIGHT_PUPIL[0] < LEFT_PUPIL[0] < right
    assert top < RIGHT_PUPIL[1] < MOUTH[1] < bottom
    assert np.hypot(*(face.points[0] - RIGHT_PUPIL)) < 5
    assert np.hypot(*(face.points[3] - MOUTH)) < 8


@LOOK
@given(turn_deg=st.floats(-60, 60), scale=st.floats(0.5, 2.5))
def test_landmarks_turn_and_scale_with_the_picture(landmarker, astronaut, mesh, turn_deg, scale):
    picture, matrix = moved(astronaut, turn_deg, scale)
    found = landmarker.landmarks(picture)
    assert found is not None
    expected = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    error_px = np.hypot(*(found[0][:, :2] - expected).T) / scale
    assert error_px.mean() < 1.5  # of a face 109 px high
    assert found[1] > 0.9


@pytest.mark.parametrize(
    ("edge", "corner"), [(512, (700, 100)), (256, (20, 400)), (256, (980, 10)), (150, (600, 300))]
)
def test_small_faces_are_found_anywhere(landmarker, astronaut, mesh, edge, corner):
    x, y = corner
    scene = np.full((720, 1280, 3), 90, np.uint8)
    scene[y : y + edge, x : x + edge] = cv2.resize(astronaut, (edge, edge), interpolation=cv2.INTER_AREA)
    found = landmarker.landmarks(scene)
    assert found is not None
    expected = (mesh[:, :2] + 0.5) * edge / 512 - 0.5 + (x, y)
    assert np.hypot(*(found[0][:, :2] - expected).T).mean() < 1.5


def test_every_face_of_a_group_is_counted_once(landmarker, still):
    faces = landmarker.faces(still("multi_face.jpg"), thorough=True)
    assert len(faces) == 5
    assert [face.side for face in faces] == sorted((face.side for face in faces), reverse=True)


@pytest.mark.parametrize("name", ["free-mountain-vector-01.jpg"])
def test_no_face_is_seen_where_there_is_none(landmarker, still, name):
    assert landmarker.landmarks(still(name)) is None


def test_a_followed_face_is_kept_and_a_lost_one_is_looked_for_again(landmarker, astronaut, mesh):
    shifted = np.roll(astronaut, 12, axis=1)
    followed = landmarker.landmarks(shifted, mesh)
    assert followed is not None
    assert abs(np.median(followed[0][:, 0] - mesh[:, 0]) - 12) < 0.5
    elsewhere = np.roll(astronaut, 250, axis=1)
    again = landmarker.landmarks(elsewhere, mesh)
    assert again is not None
    assert abs(np.median(again[0][:, 0] - mesh[:, 0]) - 250) < 1
    assert landmarker.landmarks(np.zeros_like(astronaut), mesh) is None


@LOOK
@given(yaw=st.floats(-60, 60), pitch=st.floats(-40, 40), roll=st.floats(-90, 90))
def test_pose_reads_the_turn_of_a_rigid_head(yaw, pitch, roll):
    head = np.zeros((478, 3), np.float32)
    head[[33, 263, 10, 152]] = [[-50, 0, 0], [50, 0, 0], [0, -80, 0], [0, 80, 0]]
    y, r = np.radians([yaw, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen = pose((head @ about_y.T @ about_z.T).astype(np.float32))
    assert seen.yaw == pytest.approx(yaw, abs=0.01)
    assert seen.roll == pytest.approx(roll, abs=0.01)
    p = np.radians(pitch)
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    assert pose((head @ about_x.T).astype(np.float32)).pitch == pytest.approx(pitch, abs=0.01)


@pytest.mark.parametrize(
    ("name", "yaw_deg"), [("0-f1-su-ph.jpg", 0), ("15-f13-anc-ph.jpg", 15), ("45-m7-di-ph.jpg", 45)]
)
def test_pose_agrees_with_photographs_of_known_angle(landmarker, still, name, yaw_deg):
    found = landmarker.landmarks(still(name))
    assert found is not None
    assert abs(pose(found[0]).yaw) == pytest.approx(yaw_deg, abs=5)


def test_native_chatter_does_not_reach_the_terminal_and_everything_else_does(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with no_chatter():
        os.write(2, b"INFO: Created a delegate.\nERROR: a real one\n")
    assert capfd.readouterr().err == "ERROR: a real one\n"
    code = "from avatarlab_ops.engines.face.landmarker import Landmarker; Landmarker()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
