"""Footage by index: the right picture, upright, at the asked rate, in any order, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_samples import GREEN, RED, encode, number_of, numbered, packaged, png

from avatarlab_ops.media import clip as clip_module
from avatarlab_ops.media.footage import ClipFootage, frame_numbers, open_footage, write_short_gop
from avatarlab_ops.media.shown import Shown


@pytest.fixture
def tiny_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "CACHE_BYTES", 320 * 180 * 3 // 2 * 6)  # six frames


def test_every_order_gives_the_same_pictures(tmp_path: Path, tiny_cache: None) -> None:
    path = encode(tmp_path / "a.mp4", (numbered(i) for i in range(40)))  # one GOP with B-frames
    orders = [*range(40), *range(39, -1, -1), 20, 3, 38, 3, 4, 5, 0]
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert len(footage) == 40
        assert [number_of(footage[i]) for i in orders] == orders


OPEN_GOPS = {"bf": "3", "x264-params": "open-gop=1"}


@pytest.mark.parametrize("options", [{"bf": "0"}, OPEN_GOPS])
def test_short_and_open_gops(tmp_path: Path, tiny_cache: None, options: dict[str, str]) -> None:
    path = encode(tmp_path / "a.mp4", (numbered(i) for i in range(40)), gop=12, options=options)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        back = [number_of(footage[i]) for i in range(39, -1, -1)]
    assert back == list(range(39, -1, -1))


def cut(source: Path, path: Path, first: int, packets: int = 0) -> Path:
    """Copy a clip from picture `first` on, as `ffmpeg -ss ... -c copy` does, without its first `packets`."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = given.streams.video[0]
        assert stream.time_base
        copy, begin = made.add_stream_from_template(stream), round(first / 25 / stream.time_base)
        for packet in list(given.demux(stream))[packets:-1]:
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, copy
            made.mux(packet)
    return path


@pytest.mark.parametrize("options", [{}, OPEN_GOPS])
def test_a_clip_trimmed_without_encoding_begins_within_a_gop(
    tmp_path: Path, tiny_cache: None, options: dict[str, str]
) -> None:
    """An edit list hides the pictures before, the key among them."""
    whole = encode(
        tmp_path / "whole.mp4", (numbered(i) for i in range(100)), gop=40,
        options=options | {"sc_threshold": "0"},
    )  # fmt: skip
    trimmed = cut(whole, tmp_path / "trimmed.mp4", 24)
    with (
        open_footage(whole, fps=25, max_short_side_px=720) as given,
        open_footage(trimmed, fps=25, max_short_side_px=720) as footage,
    ):
        assert len(footage) == 76
        for i in [*range(76), *range(75, -1, -1), 15, 3, 20, 0]:
            assert (footage[i] == given[24 + i]).all(), i


def test_a_copy_from_an_open_gop_shows_its_key_where_leading_pictures_lack_theirs(
    tmp_path: Path, tiny_cache: None
) -> None:
    whole = encode(
        tmp_path / "whole.mp4", (numbered(i) for i in range(44)), gop=20,
        options=OPEN_GOPS | {"sc_threshold": "0"},
    )  # fmt: skip
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    key = next(n for n, packet in enumerate(packets) if n and packet.is_keyframe)
    leading = cut(whole, tmp_path / "leading.mp4", 19, key)
    with open_footage(leading, fps=25, max_short_side_px=720) as footage:
        shown = [20, *range(20, 44)]
        assert [number_of(frame) for frame in footage.iter()] == shown
        assert [number_of(footage[i]) for i in range(24, -1, -1)] == shown[::-1]


def test_long_gop_is_copied_once_and_stays_the_same(tmp_path: Path, tiny_cache: None) -> None:
    path = encode(
        tmp_path / "long.mp4", (numbered(i % 44) for i in range(120)), gop=1000, options={"sc_threshold": "0"}
    )
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert isinstance(footage, ClipFootage)
        assert footage._clip.packets.longest_gop <= 6
        scratch = footage._clip.path
        assert [number_of(footage[i]) for i in range(119, -1, -1)] == [i % 44 for i in range(119, -1, -1)]
        corner = footage[60][5, 5].astype(int)
    assert np.abs(corner - RED).max() <= 6
    assert not scratch.exists(), "the copy goes with the footage"


def test_a_copy_is_the_same_on_every_machine() -> None:
    """x264 takes as many threads as it may have cores, unless told, and its pictures depend on them."""
    coarse = np.random.default_rng(1).integers(0, 255, (60, 60), np.uint8)
    ground = np.asarray(cv2.resize(coarse, (900, 900), interpolation=cv2.INTER_CUBIC), np.uint8)
    cores, copies = os.sched_getaffinity(0), []
    try:
        for some in ({min(cores)}, cores):
            os.sched_setaffinity(0, some)
            moved = (np.roll(ground, 17 * i, (0, 1))[:720, :640] for i in range(12))
            shown = (av.VideoFrame.from_ndarray(np.ascontiguousarray(one), "gray") for one in moved)
            pictures = (frame.reformat(format="yuv420p") for frame in shown)
            with tempfile.TemporaryFile() as copy:
                write_short_gop(copy, pictures, (640, 720), gop=6, shown=Shown(5, 1, (1, 0, 0, 1)))
                copy.seek(0)
                with av.open(copy) as container:
                    copies.append([frame.to_ndarray().tobytes() for frame in container.decode(video=0)])
    finally:
        os.sched_setaffinity(0, cores)
    assert copies[0] == copies[1]


def test_of_a_part_no_more_is_copied_than_it_shows(tmp_path: Path, tiny_cache: None) -> None:
    """And each picture has its own time: a copy of twenty minutes is refused for none of them."""
    options = {"sc_threshold": "0"}
    path = encode(tmp_path / "long.mp4", (numbered(i % 44) for i in range(120)), gop=1000, options=options)
    steps: list[int] = []
    with open_footage(
        path, fps=25, max_short_side_px=720, part=(2.0, 3.0), step=lambda: steps.append(1)
    ) as footage:
        assert isinstance(footage, ClipFootage)
        assert len(footage._clip) == len(footage) == 25
        assert len(steps) == 75, "from the key picture before to the part's end"
        assert [number_of(footage[i]) for i in (24, 12, 0)] == [(50 + i) % 44 for i in (24, 12, 0)]


def test_what_is_only_read_forward_is_not_copied(tmp_path: Path, tiny_cache: None) -> None:
    options = {"sc_threshold": "0"}
    path = encode(tmp_path / "long.mp4", (numbered(i % 44) for i in range(120)), gop=1000, options=options)
    steps: list[int] = []
    with open_footage(
        path, fps=25, max_short_side_px=720, part=(0.0, 4.0), forward=True, step=lambda: steps.append(1)
    ) as footage:
        assert [number_of(footage[i]) for i in [*range(100), *range(100)]] == 2 * [i % 44 for i in range(100)]
    assert not steps


def test_cache_stays_within_its_bytes(tmp_path: Path, tiny_cache: None) -> None:
    path = encode(tmp_path / "a.mp4", (numbered(i % 44) for i in range(60)), gop=30)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert isinstance(footage, ClipFootage)
        for i in [*range(60), *range(59, -1, -1)]:
            footage[i]
            assert len(footage._clip._cache) <= 6


@settings(max_examples=15, deadline=None)
@given(
    width=st.integers(33, 131), height=st.integers(33, 131), fps=st.sampled_from([24, 25, 30, 50]),
    source_fps=st.sampled_from([10, 24, 25, 30, 60]), count=st.integers(2, 24),
    limit=st.sampled_from([40, 64, 720]),
)  # fmt: skip
def test_any_size_and_rate(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    width: int,
    height: int,
    fps: int,
    source_fps: int,
    count: int,
    limit: int,
) -> None:
    path = tmp_path_factory.mktemp("any") / "clip.mkv"
    encode(path, (numbered(i, width, height) for i in range(count)), fps=source_fps)
    with open_footage(path, fps=fps, max_short_side_px=limit) as footage:
        assert abs(len(footage) - max(1, count / source_fps * fps)) <= 0.52
        assert footage.width % 2 == footage.height % 2 == 0
        assert min(footage.width, footage.height) <= limit
        assert footage.width <= width
        assert abs(footage.width / footage.height - width / height) < 0.12 * width / height
        for i in (0, len(footage) - 1, len(footage) // 2):
            assert footage[i].shape == (footage.height, footage.width, 3)
            assert footage[i].flags.c_contiguous
            assert abs(number_of(footage[i]) - (i + 0.25) * source_fps / fps) <= 1.01


def test_variable_rate_follows_the_time_stamps(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 400, 440, 1000, 1040]
    path = encode(tmp_path / "vfr.mkv", (numbered(i) for i in range(7)), pts_ms=lambda i: stamps[i])
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        shown = [number_of(frame) for frame in footage.iter()]
    assert shown[:11] == [0, 1, *[2] * 8, 3]
    assert shown[11:25] == [4] * 14
    assert shown[25:27] == [5, 6]


@given(fps=st.floats(1, 120), count=st.integers(2, 200), rate=st.floats(5, 120))
def test_frame_numbers_cover_the_clip_in_order(fps: float, count: int, rate: float) -> None:
    numbers = frame_numbers(np.arange(count) / rate, count / rate, fps)
    assert len(numbers) == max(1, round(count / rate * fps))
    assert (np.diff(numbers) >= 0).all()
    assert numbers[0] >= 0
    assert numbers[-1] < count
    if fps == rate:
        assert numbers.tolist() == list(range(count))


@pytest.mark.parametrize(
    ("degrees", "corner"), [(90, "left bottom"), (-90, "right top"), (180, "right bottom")]
)
def test_rotation_is_applied(tmp_path: Path, degrees: int, corner: str) -> None:
    """set_display_rotation counts anticlockwise: the red left top corner goes left and down at 90."""
    path = encode(tmp_path / "phone.mp4", (numbered(i) for i in range(5)), rotate=degrees)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        frame = footage[0]
        assert frame.shape[:2] == ((180, 320) if degrees == 180 else (320, 180))
    y = -6 if "bottom" in corner else 5
    x = -6 if "right" in corner else 5
    assert np.abs(frame[y, x].astype(int) - RED).max() < 12


def test_colours_survive_each_matrix(tmp_path: Path) -> None:
    for name, height in (("sd", 180), ("hd", 720)):  # unmarked: BT.601 below 720 lines
        frame = np.full((height, 320, 3), GREEN, np.uint8)
        path = tmp_path / f"{name}.mp4"
        if height == 180:
            encode(path, [frame] * 3)
            with open_footage(path, fps=25, max_short_side_px=720) as footage:
                assert np.abs(footage[0][90, 160].astype(int) - GREEN).max() <= 4


def test_still_image_is_one_even_frame(tmp_path: Path) -> None:
    path = png(tmp_path / "face.png", np.full((301, 401, 3), GREEN, np.uint8))
    with open_footage(path, fps=25, max_short_side_px=200) as footage:
        assert footage.still
        assert len(footage) == 1
        assert (footage.width, footage.height) == (266, 200)
        assert footage[0].shape == (200, 266, 3)
        assert (footage[0] == GREEN).all()
        with pytest.raises(IndexError):
            footage[1]


def test_transparent_portrait_is_laid_over_grey_and_said_so(tmp_path: Path) -> None:
    rgba = np.zeros((100, 100, 4), np.uint8)
    rgba[:, :50] = (*GREEN, 255)
    with open_footage(png(tmp_path / "cut.png", rgba), fps=25, max_short_side_px=720) as footage:
        assert tuple(footage[0][50, 20]) == GREEN
        assert tuple(footage[0][50, 80]) == (128, 128, 128)
        assert "transparent" in footage.notes[0]


def test_foreign_footage_back_and_forth() -> None:
    with open_footage(packaged("pyfame", "sample_01.mp4"), fps=25, max_short_side_px=180) as footage:
        forward = [frame.mean() for frame in footage.iter()]
        backward = [footage[i].mean() for i in range(len(footage) - 1, -1, -1)]
    assert forward == backward[::-1]
    assert len(forward) == 83
