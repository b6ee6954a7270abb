"""Finished videos are what players expect; artifacts come back as they went in."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.video_info import probe_output
from media_samples import BLUE, GREEN, RED, number_of, numbered

from avatarlab_ops.engines.base import Patch
from avatarlab_ops.errors import InvariantBroken
from avatarlab_ops.media.streams import read_alpha, read_patches, write_alpha, write_patches
from avatarlab_ops.media.video import VideoWriter, write_poster

RATE = 24_000


def clicks(seconds: float) -> np.ndarray:
    """Silence with a 2 ms burst at the start of every half second, from 0.5 s on."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for at in np.arange(0.5, seconds - 0.01, 0.5):
        samples[round(at * RATE) : round(at * RATE) + 48] = 0.9
    return samples


def write(path: Path, frames: int, fps: float = 25, container: str = "mp4", *, alpha: bool = False) -> Path:
    samples = clicks(frames / fps)
    with VideoWriter(
        path, 320, 180, fps, container=container, alpha=alpha,  # type: ignore[arg-type]
        audio=(samples[i : i + 1000] for i in range(0, len(samples), 1000)), sample_rate=RATE,
    ) as writer:  # fmt: skip
        for i in range(frames):
            frame = numbered(i)
            if alpha:
                frame = np.dstack([frame, np.full(frame.shape[:2], 255 if i % 2 else 100, np.uint8)])
            writer.write(frame)
    return path


def heard_clicks(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    wave = np.concatenate([f.to_ndarray()[0] for f in frames])
    loud = np.abs(wave) > 0.3
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    times = frames[0].time + starts / frames[0].sample_rate
    return [float(t) for n, t in enumerate(times) if n == 0 or t - times[n - 1] > 0.1]


@settings(max_examples=8, deadline=None)
@given(
    frames=st.integers(1, 90),
    fps=st.sampled_from([24, 25, 30, 50, 60, 30_000 / 1001]),
    container=st.sampled_from(["mp4", "webm"]),
)
def test_length_rate_and_start(
    tmp_path_factory: pytest.TempPathFactory, frames: int, fps: float, container: str
) -> None:
    info = probe_output(write(tmp_path_factory.mktemp("v") / f"o.{container}", frames, fps, container))
    assert info.frames == frames
    assert info.fps == pytest.approx(fps, abs=0.01)
    assert info.constant_fps
    assert info.duration_s == pytest.approx(frames / fps, abs=0.002)
    assert info.audio_start_s is not None
    assert abs(info.audio_start_s - info.video_start_s) < 0.020
    assert info.audio_duration_s == pytest.approx(frames / fps, abs=0.03)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_sound_lies_where_it_was_put(tmp_path: Path, container: str) -> None:
    heard = heard_clicks(write(tmp_path / f"o.{container}", 75, container=container))
    assert np.allclose(heard, [0.5, 1.0, 1.5, 2.0, 2.5], atol=0.010)


def test_mp4_is_what_browsers_want(tmp_path: Path) -> None:
    info = probe_output(write(tmp_path / "o.mp4", 30))
    assert info.faststart
    assert (info.video_codec, info.audio_codec, info.pixel_format) == ("h264", "aac", "yuv420p")
    assert (info.colour_matrix, info.colour_range) == (1, 1)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_colours_and_order(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"o.{container}"
    with VideoWriter(path, 64, 64, 25, container=container) as writer:  # type: ignore[arg-type]
        for colour in (RED, GREEN, BLUE):
            for _ in range(5):
                writer.write(np.full((64, 64, 3), colour, np.uint8))
    with av.open(str(path)) as source:
        frames = [f.to_ndarray(format="rgb24", src_colorspace=1) for f in source.decode(video=0)]
    for i, colour in ((2, RED), (7, GREEN), (12, BLUE)):
        assert np.abs(frames[i][32, 32].astype(int) - colour).max() < 12


def test_webm_carries_alpha(tmp_path: Path) -> None:
    path = write(tmp_path / "o.webm", 10, container="webm", alpha=True)
    assert probe_output(path).has_alpha
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(path)) as container:
        pictures = [f for p in container.demux(video=0) if p.size for f in decoder.decode(p)]
    alpha = [f.to_ndarray(format="rgba")[90, 160, 3] for f in pictures]
    assert np.allclose(alpha, [255 if i % 2 else 100 for i in range(10)], atol=4)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.mp4", 30).read_bytes() == write(tmp_path / "b.mp4", 30).read_bytes()


def fail_midway(path: Path) -> None:
    with VideoWriter(path, 64, 64, 25) as writer:
        writer.write(numbered(0, 64, 64))
        raise RuntimeError("no")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no"):
        fail_midway(tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_poster(tmp_path: Path) -> None:
    write_poster(tmp_path / "p.jpg", np.full((90, 160, 3), RED, np.uint8))
    assert (tmp_path / "p.jpg").read_bytes().startswith(b"\xff\xd8\xff")


@settings(max_examples=10, deadline=None)
@given(width=st.integers(2, 90), height=st.integers(2, 70), count=st.integers(1, 60), seed=st.integers(0, 9))
def test_alpha_is_lossless_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mattes = [rng.integers(0, 256, (height, width), np.uint8) for _ in range(count)]
    path = tmp_path_factory.mktemp("a") / "matte.mkv"
    assert write_alpha(path, mattes, 25) == count
    with read_alpha(path) as back:
        assert len(back) == count
        for i in [*range(count), *range(count - 1, -1, -1)]:
            assert np.array_equal(back[i], mattes[i])


def patch(i: int, width: int, height: int) -> Patch:
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 20 * i % 256)], axis=2).astype(
        np.uint8
    )
    motion = np.array([[1, 0.01 * i, 0.3], [-0.01 * i, 1, i / 7]], np.float32)
    return Patch(
        i // 2, 5 + i, -3, rgb, np.random.default_rng(i).integers(0, 256, (height, width), np.uint8), motion
    )


@settings(max_examples=8, deadline=None)
@given(width=st.integers(2, 90), height=st.integers(2, 70), count=st.integers(1, 30))
def test_patches_come_back(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, count: int
) -> None:
    path = tmp_path_factory.mktemp("p") / "patches.zip"
    assert write_patches(path, (patch(i, width, height) for i in range(count)), 25) == count
    assert [p.name for p in path.parent.iterdir()] == ["patches.zip"]
    with read_patches(path) as patches:
        back = list(patches)
        assert len(list(path.parent.iterdir())) == 2, "a process that is killed leaves nothing elsewhere"
    assert [p.name for p in path.parent.iterdir()] == ["patches.zip"]
    assert len(back) == count
    for i, got in enumerate(back):
        given_ = patch(i, width, height)
        assert (got.source_index, got.x, got.y) == (given_.source_index, given_.x, given_.y)
        assert np.array_equal(got.motion, given_.motion)
        assert np.array_equal(got.alpha, given_.alpha)
        # Near-lossless: a picture of a few pixels is all edge and loses up to 2.7 levels, others 1.5.
        assert np.abs(got.rgb.astype(int) - given_.rgb).mean() < (4.0 if min(width, height) < 16 else 2.0)


def test_patches_read_in_part_leave_nothing_even_where_an_error_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "patches.zip"
    write_patches(path, (patch(i, 60, 40) for i in range(10)), 25)
    assert len(_broken_off(path)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["patches.zip"]


def _broken_off(path: Path) -> list[RuntimeError]:
    """Read one patch and fail; the error, which holds on to whoever read."""
    try:
        with read_patches(path) as patches:
            next(patches)
            raise RuntimeError("the composite broke off")
    except RuntimeError as error:
        return [error]


def test_patches_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_patches(tmp_path / name, (patch(i, 60, 40) for i in range(10)), 25)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_engine_that_gives_nothing_is_a_defect(tmp_path: Path) -> None:
    with pytest.raises(InvariantBroken):
        write_alpha(tmp_path / "a.mkv", [], 25)
    with pytest.raises(InvariantBroken):
        write_patches(tmp_path / "p.zip", [], 25)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_engine_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> object:
        yield patch(0, 10, 10)
        raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        write_patches(tmp_path / "p.zip", broken(), 25)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_numbers_survive_encoding(tmp_path: Path) -> None:
    path = write(tmp_path / "o.mp4", 44)
    with av.open(str(path)) as container:
        assert [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)] == list(range(44))
