"""What a viewer would notice about the warped face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lip_faces import FPS, SPOKEN, gaps_of, paste, render, speech, timeline, track_of

from avatarlab_ops.engines.base import FaceTrack, Frame, Patch
from avatarlab_ops.engines.lipsync.curves import drive
from avatarlab_ops.engines.lipsync.measure import lip_sync_measure
from avatarlab_ops.engines.lipsync.viseme_warp import VisemeWarp, blinks
from avatarlab_ops.engines.lipsync.viseme_warp.engine import _boxes
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import CHIN, FaceFrame
from avatarlab_ops.engines.lipsync.viseme_warp.hang import hanging
from avatarlab_ops.engines.lipsync.viseme_warp.paint import FacePainter
from avatarlab_ops.progress import silent

Portrait = tuple[Frame, FaceTrack]
REST = drive(timeline(["sil"]), FPS).at(0)


def painter(portrait: Portrait) -> FacePainter:
    frame, track = portrait
    return FacePainter(frame, track.landmarks[0], _boxes(track, with_eyes=True)[0])


@pytest.mark.parametrize(("face", "least"), [("closed", 0.95), ("smiling", 0.85)])
def test_seen_lips_follow_the_drive_without_lag(
    face: str, least: float, request: pytest.FixtureRequest
) -> None:
    frame, track = request.getfixturevalue(face)
    said = speech(SPOKEN)
    seen = gaps_of([paste(frame, patch) for patch in render([frame], track, said)])
    r, lag_s = lip_sync_measure(seen, drive(said.timeline, FPS).gap, FPS)
    assert r >= least
    assert abs(lag_s) <= 0.04


def test_speaking_footage_is_made_to_say_something_else(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking
    said = speech(SPOKEN)
    patches = render(frames, track, said)
    target = drive(said.timeline, FPS).gap
    seen = gaps_of([paste(frames[patch.source_index], patch) for patch in patches])
    before = gaps_of(frames)[[patch.source_index for patch in patches]]
    assert lip_sync_measure(before, target, FPS)[0] < 0.6
    r, lag_s = lip_sync_measure(seen, target, FPS)
    assert r >= 0.9
    assert abs(lag_s) <= 0.04


def test_bilabials_are_seen_to_close(portrait: Portrait) -> None:
    frame, track = portrait
    patches = render([frame], track, speech(["aa", "PP", "aa", "PP", "oh", "PP", "E"]))
    middles = [int((i + 0.5) * 0.14 * FPS) for i in (1, 3, 5)]
    vowels = [int((i + 0.5) * 0.14 * FPS) for i in (2, 4)]
    assert gaps_of([paste(frame, patches[i]) for i in middles]).max() < 0.015
    assert gaps_of([paste(frame, patches[i]) for i in vowels]).min() > 0.06


def test_nothing_changes_at_or_beyond_the_rim_of_the_patch(portrait: Portrait) -> None:
    frame, track = portrait
    for patch in render([frame], track, speech(["aa", "ou"]))[1::2]:
        rim = np.ones(patch.alpha.shape, bool)
        rim[1:-1, 1:-1] = False
        assert not patch.alpha[rim].any()
        source = frame[patch.y : patch.y + rim.shape[0], patch.x : patch.x + rim.shape[1]]
        change = np.abs(
            paste(frame, patch).astype(int)[patch.y :, patch.x :][: rim.shape[0], : rim.shape[1]] - source
        )
        rim[8:-8, 8:-8] = False
        assert change[rim | (patch.alpha < 20)].max() <= 3  # no seam


def test_a_resting_closed_mouth_is_the_source_itself(closed: Portrait) -> None:
    frame, track = closed
    patch = render([frame], track, speech(["sil"] * 3), blinks=False)[3]
    assert np.abs(paste(frame, patch).astype(int) - frame).max() <= 12
    assert np.abs(paste(frame, patch).astype(int) - frame).mean() < 0.05


@pytest.mark.parametrize(("face", "gaps"), [("smiling", (0.09, 0.15)), ("closed", (0.10, 0.16))])
def test_upper_teeth_neither_move_nor_stretch(
    face: str, gaps: tuple[float, float], request: pytest.FixtureRequest
) -> None:
    warp = painter(request.getfixturevalue(face))
    less, more = (warp.paint(REST | {"gap": gap, "upper": 0.5}, 0.0)[0] for gap in gaps)
    size, interior = warp.face.scale, warp.interior
    middle = warp.face.pixels(np.array([interior.upper.anchor[0], interior.edge_y - 0.009], np.float32))
    x, y = (int(v) for v in middle - (warp.box.x, warp.box.y))
    half_w, half_h = int(0.09 * size), max(int(0.012 * size), 2)
    teeth = less[y - half_h : y + half_h, x - half_w : x + half_w]
    assert teeth.mean() > 70  # teeth, not darkness
    reach = max(int(0.05 * size), 3)
    around = more[y - half_h - reach : y + half_h + reach, x - half_w - reach : x + half_w + reach]
    score = cv2.matchTemplate(around, teeth, cv2.TM_CCOEFF_NORMED)
    _, best, _, (bx, by) = cv2.minMaxLoc(score)
    assert (bx, by) == (reach, reach)
    assert best > 0.9
    assert np.abs(teeth.astype(int) - more[y - half_h : y + half_h, x - half_w : x + half_w]).mean() < 12


def test_chin_comes_down_with_the_jaw_and_nose_and_cheeks_stay(closed: Portrait) -> None:
    frame, track = closed
    warp = painter(closed)
    shut, open_ = warp.paint(REST, 0.0)[0], warp.paint(REST | {"gap": 0.15}, 0.0)[0]
    wide = frame.copy()
    wide[warp.box.y : warp.box.y + warp.box.height, warp.box.x : warp.box.x + warp.box.width] = open_
    chin = (track_of([wide]).landmarks[0, 152, 1] - track.landmarks[0, 152, 1]) / warp.face.scale
    assert 0.04 < chin < 0.15
    for landmark in (1, 98, 327, 50, 280):  # nose and cheeks
        x, y = (track.landmarks[0, landmark, :2] - (warp.box.x, warp.box.y)).astype(int)
        around = np.s_[y - 6 : y + 7, x - 6 : x + 7]
        assert np.abs(shut[around].astype(int) - open_[around]).mean() < 4


def test_same_seed_same_film_other_seed_another(closed: Portrait) -> None:
    frame, track = closed
    said = speech(["sil"] * 30)
    one, again, other = (render([frame], track, said, seed=seed) for seed in (7, 7, 8))
    assert all(
        np.array_equal(a.rgb, b.rgb) and np.array_equal(a.motion, b.motion)
        for a, b in zip(one, again, strict=True)
    )
    assert any(not np.array_equal(a.rgb, b.rgb) for a, b in zip(one, other, strict=True))
    assert any(not np.array_equal(a.motion, b.motion) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_blinks_come_at_natural_intervals_and_last_naturally(seed: int) -> None:
    times = blinks.schedule(60.0, np.random.default_rng(seed))
    assert np.diff(times).min() >= 2
    assert np.diff(times).max() <= 6
    assert 9 <= len(times) <= 29
    shut = blinks.closing(times, 6000, 100.0)
    lengths = [len(run) for run in "".join("x" if s > 0.05 else " " for s in shut).split()]
    assert len(lengths) == len(times)
    assert all(15 <= length <= 25 for length in lengths)  # 150 to 250 ms
    assert shut.max() > 0.98


def test_a_blink_covers_the_iris_with_skin_and_can_be_switched_off(closed: Portrait) -> None:
    frame, track = closed
    said = speech(["sil"] * 30)
    iris = track.landmarks[0, 468, :2].astype(int)

    def darkest_change(on: bool) -> float:
        films = render([frame], track, said, blinks=on, head_motion=False)
        shown = [paste(frame, patch)[iris[1] - 3 : iris[1] + 4, iris[0] - 3 : iris[0] + 4] for patch in films]
        return max(float(np.abs(one.astype(int) - shown[0]).mean()) for one in shown)

    assert darkest_change(True) > 15
    assert darkest_change(False) == 0


def test_head_motion_is_slight_smooth_and_can_be_switched_off(closed: Portrait) -> None:
    frame, track = closed
    said = speech(SPOKEN * 3)
    height, width = frame.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float32)
    paths = np.array([corners @ patch.motion.T for patch in render([frame], track, said, blinks=False)])
    assert np.abs(paths - corners[:, :2]).max() < 0.03 * width
    assert np.abs(paths - corners[:, :2]).max() > 1
    assert np.abs(np.diff(paths, axis=0)).max() < 2.5  # pixels a frame at 720p
    still = render([frame], track, speech(["aa"]), head_motion=False)
    assert all(np.array_equal(patch.motion, np.eye(2, 3)) for patch in still)


def test_footage_neither_sways_nor_leaves_its_order(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking
    patches = render(
        frames[:4], FaceTrack(track.landmarks[:4], track.present[:4], 1280, 720, FPS), speech(["aa"] * 2)
    )
    assert [patch.source_index for patch in patches] == [0, 1, 2, 3, 2, 1, 0]
    assert all(np.array_equal(patch.motion, np.eye(2, 3)) for patch in patches)
    assert len({patch.rgb.shape for patch in patches}) == 1


def test_frames_without_a_face_stay_as_they_are(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking
    present = track.present.copy()
    present[5:8] = False
    patches = render(frames, FaceTrack(track.landmarks, present, 1280, 720, FPS), speech(["aa"] * 5))
    for patch in patches:
        assert patch.alpha.any() == present[patch.source_index]
    nobody = FaceTrack(track.landmarks, np.zeros_like(present), 1280, 720, FPS)
    assert not any(patch.alpha.any() for patch in render(frames, nobody, speech(["aa"])))


def test_the_upper_teeth_do_not_slide_into_place_after_a_cut(talking: tuple[list[Frame], FaceTrack]) -> None:
    """Nor where the face was away: in the second shot the head nods, so that the lip is lower in the face."""
    _, track = talking
    landmarks = np.repeat(track.landmarks[:1], 40, axis=0)
    landmarks[20:, 0, 1] += 12
    away = np.ones(40, bool)
    away[18:22] = False
    for present, cuts in ((np.ones(40, bool), (20,)), (away, ())):
        place = hanging(FaceTrack(landmarks, present, track.width, track.height, FPS, cuts=cuts))
        assert np.ptp(place[:18], axis=0).max() < 1e-5
        assert np.ptp(place[22:], axis=0).max() < 1e-5
        assert place[-1, 1] - place[0, 1] > 0.05
    uncut = hanging(FaceTrack(landmarks, np.ones(40, bool), track.width, track.height, FPS))
    assert np.diff(uncut[:, 1]).max() < 0.3 * (uncut[-1, 1] - uncut[0, 1]), "a head that nods is followed"


def test_a_face_at_the_edge_of_the_picture_is_painted_inside_it(smiling: Portrait) -> None:
    frame, track = smiling
    x0, y1 = (int(track.landmarks[0, i, axis]) for i, axis in ((61, 0), (152, 1)))
    cut = np.ascontiguousarray(frame[: y1 - 2, x0 - 4 :])
    landmarks = track.landmarks - np.array([x0 - 4, 0, 0], np.float32)
    moved = FaceTrack(landmarks, track.present, cut.shape[1], cut.shape[0], FPS)
    for patch in render([cut], moved, speech(["aa"])):
        assert patch.x >= 0
        assert patch.y >= 0
        assert patch.x + patch.rgb.shape[1] <= cut.shape[1]
        assert patch.y + patch.rgb.shape[0] <= cut.shape[0]


def test_footage_is_read_as_it_is_needed(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking
    read: list[int] = []

    class Watched:
        def __len__(self) -> int:
            return len(frames)

        def __getitem__(self, index: int) -> Frame:
            read.append(index)
            return frames[index]

    film = VisemeWarp().patches(Watched(), track, speech(SPOKEN), fps=FPS, seed=1, report=silent)
    for made in range(1, 6):
        next(film)
        assert len(read) <= made + 1  # one more for the teeth


def test_progress_counts_every_frame(closed: Portrait) -> None:
    frame, track = closed
    seen: list[tuple[int, int, str]] = []
    said = speech(["aa"] * 2)
    patches = VisemeWarp().patches(
        [frame], track, said, fps=FPS, seed=1, report=lambda *step: seen.append(step)
    )
    assert len(list(patches)) == 7
    assert seen == [(i + 1, 7, "frames") for i in range(7)]


def shown(portrait: Portrait, name: str) -> np.ndarray:
    """The mesh, in eye distances, that is found anew in a portrait which says one sound."""
    frame, track = portrait
    face = FaceFrame.of(track.landmarks[0])
    patches = render([frame], track, speech(["aa", name, "aa"]), blinks=False, head_motion=False)
    return face.local(track_of([paste(frame, patches[int(1.5 * 0.14 * FPS)])]).landmarks[0, :, :2])


def test_the_jaw_opens_for_vowels_and_rounded_ones_are_narrow(portrait: Portrait) -> None:
    shut, open_, rounded = (shown(portrait, name) for name in ("PP", "aa", "oh"))
    assert open_[CHIN, 1] - shut[CHIN, 1] > 0.10
    corners = [mesh[308, 0] - mesh[78, 0] for mesh in (rounded, open_)]
    assert corners[0] < 0.9 * corners[1]


def test_the_upper_lip_of_a_smile_does_not_swell_when_it_closes(smiling: Portrait) -> None:
    frame, _ = smiling
    large = cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    source, closed_ = track_of([large]), shown((large, track_of([large])), "PP")
    before = FaceFrame.of(source.landmarks[0]).local(source.landmarks[0, :, :2])
    thickness = [mesh[13, 1] - mesh[0, 1] for mesh in (before, closed_)]
    assert thickness[1] < 1.25 * thickness[0]


def test_lids_carry_their_own_skin_and_leave_the_brow_where_it_is(
    talking: tuple[list[Frame], FaceTrack],
) -> None:
    frames, track = talking
    portrait = frames[0], FaceTrack(track.landmarks[:1], track.present[:1], track.width, track.height, FPS)
    painted = painter(portrait)
    shut, alpha = painted.paint(REST, 1.0)
    mesh = track.landmarks[0, :, :2]
    out = paste(
        frames[0], Patch(0, painted.box.x, painted.box.y, shut, alpha, np.eye(2, 3, dtype=np.float32))
    )
    for upper, lower, hair in ((159, 145, 52), (386, 374, 282)):  # middle of each eye, lower edge of its brow
        x, top, low = int(mesh[upper, 0]), int(mesh[upper, 1]), int(mesh[lower, 1])
        lid = out[top - 2 : low - 1, x - 8 : x + 8].mean()
        brow = frames[0][int(mesh[hair, 1]) - 6 : int(mesh[hair, 1]) + 2, x - 8 : x + 8].mean()
        assert lid > brow + 10
