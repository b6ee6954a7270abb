"""The print of moving pictures: near for the same video however it was treated, far for another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import pictureprint
from avatarlab_ops.media.pictureprint import Seen

SIZE = 192


def _ground(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _talking(seed: int, ground: int = 1, seconds: float = 5.0, fps: int = 25) -> list[np.ndarray]:
    """A dark mouth that opens and closes at random, float times shared by all frame rates."""
    random = np.random.default_rng(seed)
    knots = random.uniform(0, 1, round(seconds * 8) + 2) ** 2
    opened = np.interp(np.arange(round(seconds * fps)) / fps * 8, np.arange(len(knots)), knots)
    frames = []
    for wide in opened:
        frame = _ground(ground).copy()
        cv2.ellipse(frame, (96, 120), (24, 2 + round(12 * wide)), 0, 0, 360, 20, cv2.FILLED)
        frames.append(frame)
    return frames


def _seen(
    folder: Path, frames: list[np.ndarray], fps: int = 25, crf: int = 28, pixels: str = "yuv420p",
    *, from_s: int = 0,
) -> Seen:  # fmt: skip
    path = folder / "clip.mkv"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = pixels
        for number, shown in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), "gray")
            frame.pts, frame.time_base = from_s * fps + number, Fraction(1, fps)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return pictureprint.watch(path, most_s=60.0)


def _alike(one: Seen, other: Seen) -> tuple[float, float, int]:
    """(how alike they move, how alike they look, words of the one that are kept of the other)"""
    kept = set(pictureprint.kept(pictureprint.words(other)).tolist()) - {0}
    shared = kept & set(pictureprint.words(one).ravel().tolist())
    curves = pictureprint.unpacked(pictureprint.packed(other.curves))
    moves = pictureprint.moves_alike(one.curves, curves)
    return moves, pictureprint.looks_alike(one.look, other.look), len(shared)


def test_what_was_treated_is_near(tmp_path: Path) -> None:
    frames, random = _talking(1), np.random.default_rng(2)
    whole = _seen(tmp_path, frames, crf=18)

    def noisy(frame: np.ndarray) -> np.ndarray:
        return np.clip(frame + random.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)

    treated = {
        "mirrored": [frame[:, ::-1] for frame in frames],
        "5 % crop": [frame[5:-5, 5:-5] for frame in frames],
        "smaller, noise": [noisy(cv2.resize(frame, (128, 128))) for frame in frames],
        "excerpt": frames[20:90],
    }
    for name, one in treated.items():
        moves, looks, shared = _alike(_seen(tmp_path, one), whole)
        assert moves > 0.9, name
        assert looks > 0.9, name
        assert shared, name


def test_deeper_pixels_are_the_same_video(tmp_path: Path) -> None:
    whole = _seen(tmp_path, _talking(1))
    for pixels in ("yuv420p10le", "yuv444p"):
        moves, looks, _ = _alike(_seen(tmp_path, _talking(1), pixels=pixels), whole)
        assert moves > 0.95, pixels
        assert looks > 0.95, pixels


def test_another_frame_rate_and_another_speed_are_the_same_movement(tmp_path: Path) -> None:
    whole = _seen(tmp_path, _talking(1))
    assert _alike(_seen(tmp_path, _talking(1, fps=50), fps=50), whole)[0] > 0.9
    faster = _seen(tmp_path, _talking(1, fps=24), fps=25)
    assert _alike(faster, whole)[0] < 0.8
    assert _alike(faster.at_speed(24 / 25), whole)[0] > 0.85


def test_a_stream_whose_clock_begins_late_is_the_same_video(tmp_path: Path) -> None:
    """As a recorded broadcast does: of what is looked at, its own first picture is the beginning."""
    late = _seen(tmp_path, _talking(1), from_s=5000)
    assert _alike(late, _seen(tmp_path, _talking(1)))[0] > 0.99


def test_other_words_move_otherwise_and_another_place_looks_otherwise(tmp_path: Path) -> None:
    whole = _seen(tmp_path, _talking(1))
    moves, looks, shared = _alike(_seen(tmp_path, _talking(7)), whole)
    assert moves < 0.7
    assert looks > 0.9
    assert not shared
    moves, looks, _ = _alike(_seen(tmp_path, _talking(1, ground=9)), whole)
    assert moves > 0.8
    assert looks < 0.7


def test_what_stands_still_or_is_short_has_no_words(tmp_path: Path) -> None:
    assert not pictureprint.words(_seen(tmp_path, [_ground(1)] * 75)).any()
    assert not pictureprint.words(_seen(tmp_path, _talking(1, seconds=1))).any()


def test_a_file_without_a_moving_picture_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(MediaRefused):
        pictureprint.watch(path)
