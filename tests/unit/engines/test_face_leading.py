"""Nobody else's lips are moved where the leading face leaves; once it is back it leads again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.progress import silent

FPS = 10.0


def tracked(frames):
    return track_faces(frames, fps=FPS, width=frames[0].shape[1], height=frames[0].shape[0], report=silent)


@pytest.fixture(scope="module")
def scene(astronaut):
    """A grey picture of 960x540 that shows her head at each (x, y), her picture shrunk to `edge`."""

    def drawn(*people):
        picture = np.full((540, 960, 3), 90, np.uint8)
        for x, y, edge in people:
            small = cv2.resize(astronaut, (edge, edge), interpolation=cv2.INTER_AREA)
            part = small[: edge * 220 // 512, edge * 100 // 512 : edge * 340 // 512]  # head and neck
            picture[y : y + part.shape[0], x : x + part.shape[1]] = part
        return picture

    return drawn


def stirred(picture, count):
    """The picture as often, never twice the same."""
    return [picture ^ np.uint8(index % 2) for index in range(count)]


LEADING, BESIDE = (500, 200, 512), (340, 200, 330)  # faces of 109 and 70 px, 209 px apart


def noses(track):
    return track.landmarks[track.present][:, 1, 0]


def test_whoever_stands_beside_the_leading_face_stays_as_they_are_when_it_leaves(scene):
    both, alone = scene(LEADING, BESIDE), scene(BESIDE)
    track = tracked(stirred(both, 12) + stirred(alone, 60))
    assert np.flatnonzero(track.present).tolist() == list(range(12))
    assert noses(track).min() > LEADING[0]
    assert any("Smaller faces beside the leading one stay" in note for note in track.notes)
    assert not any("shot" in note for note in track.notes)


def test_a_bystander_who_walks_about_is_not_taken_for_the_face_that_left(scene):
    both = scene(LEADING, BESIDE)
    walk = [scene((340 + 6 * step, 200, 330)) for step in range(50)]
    track = tracked(stirred(both, 12) + walk)
    assert not track.present[12:].any()


def test_a_face_of_another_size_or_place_is_not_taken_at_once(scene):
    """They were never seen together."""
    for other in ((500, 200, 200), (20, 20, 512)):
        track = tracked(stirred(scene(LEADING), 9) + stirred(scene(other), 4))
        assert track.present.tolist() == [True] * 9 + [False] * 4


def test_a_face_that_comes_back_where_it_was_is_the_leading_one_again(scene):
    both, alone = scene(LEADING, BESIDE), scene(BESIDE)
    track = tracked(stirred(both, 5) + stirred(alone, 5) + stirred(both, 5))
    assert track.present.tolist() == [True] * 5 + [False] * 5 + [True] * 5
    assert np.ptp(noses(track)) < 2


@pytest.mark.parametrize("back", [(40, 300, 512), (700, 100, 512), (500, 200, 700), (540, 260, 220)])
def test_a_face_that_comes_back_elsewhere_or_nearer_is_the_leading_one_again(scene, back):
    gone = scene()
    track = tracked(stirred(scene(LEADING), 10) + stirred(gone, 30) + stirred(scene(back), 5))
    assert track.present.tolist() == [True] * 10 + [False] * 30 + [True] * 5
    assert noses(track)[-1] == pytest.approx(back[0] + (224 - 100) * back[2] / 512, abs=8)


def test_a_face_that_comes_back_elsewhere_is_told_from_the_bystander(scene):
    both, alone, back = scene(LEADING, BESIDE), scene(BESIDE), scene(BESIDE, (720, 100, 512))
    track = tracked(stirred(both, 10) + stirred(alone, 30) + stirred(back, 5))
    assert track.present.tolist() == [True] * 10 + [False] * 30 + [True] * 5
    assert noses(track)[-1] > 720


def test_after_a_cut_whoever_leads_is_taken_and_that_is_told_once(scene, astronaut):
    other = cv2.resize(astronaut, (960, 540), interpolation=cv2.INTER_AREA)
    shots = stirred(scene(LEADING), 8) + stirred(other, 8) + stirred(scene(LEADING), 8)
    track = tracked(shots)
    assert track.present.all()
    (told,) = (note for note in track.notes if "shot" in note)
    assert told == "Other shots begin, the first 0.8 s in: their largest face is taken, whoever that is."
    assert "Another shot begins 0.8 s in: its largest face" in " ".join(tracked(shots[:16]).notes)


def test_a_cut_to_a_shot_in_which_a_face_comes_late_is_tracked_from_there(scene, astronaut):
    black, other = np.zeros((540, 960, 3), np.uint8), cv2.resize(astronaut[:288], (960, 540))
    fade = [(other * share).astype(np.uint8) for share in np.linspace(0.05, 1, 20)]
    track = tracked(stirred(scene((20, 20, 260)), 5) + stirred(black, 3) + fade + stirred(other, 3))
    assert track.present[-3:].all(), "larger and elsewhere: the size of the shot before does not count"
    assert "Another shot begins 0.5 s in" in " ".join(track.notes)


def test_a_clip_whose_first_shot_shows_nobody_has_one_leading_face(scene, astronaut):
    title = np.full((540, 960, 3), 230, np.uint8)
    assert not any("shot" in note for note in tracked(stirred(title, 4) + stirred(scene(LEADING), 4)).notes)
