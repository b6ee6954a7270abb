"""The composite: patches where they belong, the background behind, no halo, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.video_info import probe_output
from media_samples import BLUE, GREEN, RED, encode, number_of, numbered, png, speech

from avatarlab_ops import request
from avatarlab_ops.engines.base import Patch, footage_index
from avatarlab_ops.errors import InvariantBroken, RequestInvalid
from avatarlab_ops.media import foreign
from avatarlab_ops.media.background import Background, blurred_background, parse_colour
from avatarlab_ops.media.captions import Caption
from avatarlab_ops.media.compose import ComposeReport, OutputSpec, compose, frame_count
from avatarlab_ops.media.footage import Footage, StillFootage, open_footage
from avatarlab_ops.media.geometry import Rect, after, contain, cover, warp
from avatarlab_ops.media.keying import clean, find_band, lay_over
from avatarlab_ops.media.painter import paste
from avatarlab_ops.media.threads import prefetch
from avatarlab_ops.plan import picture
from avatarlab_ops.request import Output

STILL = np.eye(2, 3, dtype=np.float32)
W, H = 320, 180


class Mattes:
    def __init__(self, *mattes: np.ndarray) -> None:
        self._mattes = mattes

    def __len__(self) -> int:
        return len(self._mattes)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._mattes[index]


class BadMattes(Mattes):
    def __getitem__(self, index: int) -> np.ndarray:
        raise IndexError("no such matte")


def person() -> tuple[np.ndarray, np.ndarray]:
    """A red disc before blue with a soft edge, and its true matte."""
    y, x = np.mgrid[:H, :W]
    alpha = np.clip((60 - np.hypot(x - W / 2, y - H / 2)) / 8 + 0.5, 0, 1)
    rgb = alpha[..., None] * np.array(RED) + (1 - alpha[..., None]) * np.array(BLUE)
    return (rgb + 0.5).astype(np.uint8), (alpha * 255 + 0.5).astype(np.uint8)


def patches(count: int, footage_frames: int = 1, motion: np.ndarray = STILL) -> Iterator[Patch]:
    """A green square of 20 pixels in the middle."""
    square = np.full((20, 20, 3), GREEN, np.uint8)
    for i in range(count):
        index = footage_index(i, footage_frames)
        yield Patch(index, W // 2 - 10, H // 2 - 10, square, np.full((20, 20), 255, np.uint8), motion)


def render(tmp_path: Path, background: Background, **kwargs: object) -> tuple[np.ndarray, ComposeReport]:
    """Compose 12 frames of the disc; the last frame and the report."""
    rgb, alpha = person()
    spec = kwargs.pop("output", OutputSpec(W, H))
    assert isinstance(spec, OutputSpec)
    path = tmp_path / f"out.{spec.container}"
    voice = speech(tmp_path / "voice.wav", 12 / spec.fps)
    report = compose(
        StillFootage(rgb, spec.fps), kwargs.pop("patches", patches(12)), matte=Mattes(alpha),  # type: ignore[arg-type]
        background=background, speech=voice, output=spec, out_path=path, **kwargs,  # type: ignore[arg-type]
    )  # fmt: skip
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24", src_colorspace=1) for f in container.decode(video=0)]
    assert len(frames) == report.frames == 12
    return frames[-1], report


def near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 14) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


def test_colour_background(tmp_path: Path) -> None:
    frame, report = render(tmp_path, Background("colour", (250, 250, 60)))
    assert near(frame[10, 10], (250, 250, 60))
    assert near(frame[H // 2, W // 2], GREEN), "the patch"
    assert near(frame[H // 2, W // 2 + 30], RED), "the person"
    assert report.alpha_coverage == pytest.approx(np.pi * 60**2 / (W * H), rel=0.05)


def test_original_background_stays(tmp_path: Path) -> None:
    frame, report = render(tmp_path, Background("original"))
    assert near(frame[10, 10], BLUE)
    assert report.alpha_coverage == 1.0


def test_image_background_covers(tmp_path: Path) -> None:
    picture = np.full((100, 400, 3), (255, 255, 0), np.uint8)
    picture[:, 200:] = (0, 255, 255)
    frame, _ = render(tmp_path, Background("image", path=png(tmp_path / "bg.png", picture), size=(400, 100)))
    assert near(frame[5, 5], (255, 255, 0))
    assert near(frame[5, -5], (0, 255, 255))


def behind(tmp_path: Path, path: Path, size: tuple[int, int]) -> list[np.ndarray]:
    """Twelve frames of a video in which nothing stands before the background."""
    rgb, alpha = person()
    out = tmp_path / "out.mp4"
    compose(
        StillFootage(rgb, 25), patches(12), matte=Mattes(np.zeros_like(alpha)),
        output=OutputSpec(W, H), out_path=out, background=Background("video", path=path, size=size),
        speech=speech(tmp_path / "v.wav", 12 / 25),
    )  # fmt: skip
    with av.open(str(out)) as container:
        return [f.to_ndarray(format="rgb24", src_colorspace=1) for f in container.decode(video=0)]


def test_video_background_loops(tmp_path: Path) -> None:
    path = encode(tmp_path / "bg.mp4", (numbered(i) for i in range(5)))
    assert [number_of(frame) for frame in behind(tmp_path, path, (W, H))] == [i % 5 for i in range(12)]


def test_of_a_video_background_no_more_is_read_than_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fine stripes are averaged, once: what was read larger and shrunk by skipping showed bands."""
    stripes = np.zeros((420, 560, 3), np.uint8)
    stripes[:, ::2] = 255
    path = encode(tmp_path / "bg.mp4", [stripes] * 50)
    opened, read = foreign.open_footage, list[tuple[int, int, int]]()

    def told(*args: Any, **kwargs: Any) -> Footage:
        footage = opened(*args, **kwargs)
        read.append((footage.width, footage.height, len(footage)))
        return footage

    monkeypatch.setattr(foreign, "open_footage", told)
    shown = behind(tmp_path, path, (560, 420))
    assert read == [(320, 240, 12)]
    assert max(frame[10:-10, 10:-10].std() for frame in shown) < 8


def test_blurred_background_does_not_smear_the_person() -> None:
    rgb, alpha = person()
    plate = blurred_background(rgb, alpha, cover((W, H), (W, H)), (W, H), 0.5)
    assert np.abs(plate.astype(int) - BLUE).max() <= 6, "blue everywhere, no red"


def test_blur_blurs() -> None:
    rgb = np.zeros((H, W, 3), np.uint8)
    rgb[:, ::16] = rgb[:, 1::16] = 255
    plate = blurred_background(rgb, np.zeros((H, W), np.uint8), cover((W, H), (W, H)), (W, H), 1.0)
    assert plate[20:-20, 20:-20].std() < 8 < rgb.std()


def test_edges_carry_nothing_of_the_old_background() -> None:
    rgb, alpha = person()
    white = np.full_like(rgb, 255)
    out = lay_over(rgb, find_band(rgb, clean(alpha)), white)
    a = alpha[..., None] / 255
    ideal = a * np.array(RED) + (1 - a) * 255
    naive = a * rgb + (1 - a) * 255
    assert np.abs(out - ideal).max() < 8
    assert np.abs(naive - ideal).max() > 35, "what plain alpha over leaves: the blue fringe"


def test_edges_show_no_steps_where_the_foreground_changes_its_colour() -> None:
    """Half transparent hair, dark above and light below: what is seen of it grows lighter evenly."""
    height, width = 128, 96
    shade = np.linspace(20, 220, height)[:, None].repeat(width, 1)
    alpha = np.full((height, width), 255.0)
    alpha[:, 40:] = 128
    alpha[:, 60:] = 0
    mixed = shade * alpha / 255 + 100 * (1 - alpha / 255)
    rgb = np.asarray(np.round(mixed)[..., None].repeat(3, 2), np.uint8)
    out = lay_over(rgb, find_band(rgb, clean(alpha.astype(np.uint8))), np.zeros_like(rgb))
    steps = np.diff(out[16:-16, 50, 0].astype(float))
    assert np.abs(steps).max() <= 3  # one is asked for


def test_transparent(tmp_path: Path) -> None:
    render(tmp_path, Background("transparent"), output=OutputSpec(W, H, 25, "webm"))
    info = probe_output(tmp_path / "out.webm")
    assert info.has_alpha
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(tmp_path / "out.webm")) as container:
        pictures = [f for p in container.demux(video=0) if p.size for f in decoder.decode(p)]
    rgba = pictures[-1].to_ndarray(format="rgba")
    assert rgba[10, 10, 3] < 6
    assert rgba[H // 2, W // 2 + 30, 3] > 250
    assert near(rgba[H // 2, W // 2 + 30, :3], RED, 20)


def test_picture_and_matte_move_alike(tmp_path: Path) -> None:
    motion = np.array([[1, 0, 40], [0, 1, -20]], np.float32)
    frame, _ = render(tmp_path, Background("colour", (255, 255, 255)), patches=patches(12, motion=motion))
    assert near(frame[H // 2 - 20, W // 2 + 40], GREEN)
    assert near(frame[H // 2 - 20, W // 2 + 90], RED)
    assert near(frame[H // 2 - 20, W // 2 - 40], (255, 255, 255)), "where the disc was"


def test_unmoved_still_is_painted_the_same_as_in_full(tmp_path: Path) -> None:
    """The shortcut for a head that does not move gives the picture of the long way."""
    still, _ = render(tmp_path, Background("colour", (10, 90, 40)), output=OutputSpec(400, 224))
    wiggle = [p if i == 11 else Patch(p.source_index, p.x, p.y, p.rgb, p.alpha, STILL + 0.01 * (i % 2))
              for i, p in enumerate(patches(12))]  # fmt: skip
    full, _ = render(
        tmp_path, Background("colour", (10, 90, 40)), output=OutputSpec(400, 224), patches=wiggle
    )
    assert np.abs(still.astype(int) - full).mean() < 1.0
    assert np.abs(still[80:140, 170:230].astype(int) - full[80:140, 170:230]).max() < 40


def test_aspect_is_cropped_around_the_face(tmp_path: Path) -> None:
    frame, _ = render(
        tmp_path,
        Background("original"),
        output=OutputSpec(100, 180),
        fit=cover((W, H), (100, 180), (W / 2, H / 2)),
    )
    assert near(frame[90, 50], GREEN)
    fit = cover((W, H), (100, 180), (0.0, H / 2))
    frame, _ = render(tmp_path, Background("original"), output=OutputSpec(100, 180), fit=fit)
    assert near(frame[90, 50], BLUE), "the crop stays inside the picture"


def test_captions_are_burned_at_their_time(tmp_path: Path) -> None:
    plain, _ = render(tmp_path, Background("original"))
    text, _ = render(tmp_path, Background("original"), captions=[Caption(0.4, 1.0, ("Hello there",))])
    early, _ = render(tmp_path, Background("original"), captions=[Caption(0.0, 0.3, ("Hello there",))])
    assert np.abs(text[140:].astype(int) - plain[140:]).max() > 100
    assert np.abs(early.astype(int) - plain).max() < 40


def test_output_and_poster_and_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    _, report = render(
        tmp_path,
        Background("original"),
        poster_path=tmp_path / "p.jpg",
        report=lambda *step: seen.append(step),
    )
    info = probe_output(tmp_path / "out.mp4")
    assert info.duration_s == pytest.approx(12 / 25)
    assert info.audio_duration_s == pytest.approx(12 / 25, abs=0.03)
    assert seen == [(i, 12, "frames") for i in range(1, 13)]
    assert (tmp_path / "p.jpg").exists()
    assert report.duration_s == pytest.approx(12 / 25)


def test_footage_goes_back_and_forth(tmp_path: Path) -> None:
    path = encode(tmp_path / "f.mp4", (numbered(i) for i in range(4)))
    out = tmp_path / "out.mp4"
    dot = np.zeros((2, 2, 3), np.uint8)
    clear = (Patch(footage_index(i, 4), 0, 0, dot, dot[..., 0], STILL) for i in range(12))
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        compose(
            footage, clear, matte=None, background=Background(), speech=speech(tmp_path / "v.wav", 12 / 25),
            output=OutputSpec(W, H), out_path=out,
        )  # fmt: skip
    with av.open(str(out)) as container:
        seen = [number_of(f.to_ndarray(format="rgb24", src_colorspace=1)) for f in container.decode(video=0)]
    assert seen == [footage_index(i, 4) for i in range(12)]


@pytest.mark.parametrize("where", ["patches", "report", "matte"])
def test_failure_and_cancellation_leave_nothing(tmp_path: Path, where: str) -> None:
    before = threading.active_count()

    def broken() -> Iterator[Patch]:
        yield from patches(5)
        raise RuntimeError("stop")

    def cancel(done: int, total: int, unit: str) -> None:
        if done == 5:
            raise RuntimeError("stop")

    rgb, alpha = person()
    with pytest.raises((RuntimeError, IndexError)):
        compose(
            StillFootage(rgb, 25), broken() if where == "patches" else patches(200),
            matte=BadMattes(alpha) if where == "matte" else Mattes(alpha),
            background=Background("colour"), speech=speech(tmp_path / "v.wav", 8.0), output=OutputSpec(W, H),
            out_path=tmp_path / "out.mp4", **({"report": cancel} if where == "report" else {}),
        )  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["v.wav"]
    assert threading.active_count() == before


def test_too_few_patches_are_a_defect(tmp_path: Path) -> None:
    with pytest.raises(InvariantBroken, match="12 frames, but lip-sync made only 7"):
        render(tmp_path, Background("original"), patches=patches(7))


def test_impossible_wishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="webm"):
        render(tmp_path, Background("transparent"))
    with pytest.raises(RequestInvalid, match="needs a file"):
        render(tmp_path, Background("image"))
    with pytest.raises(RequestInvalid, match="#rrggbb"):
        parse_colour("reddish")
    rgb, _ = person()
    with pytest.raises(InvariantBroken, match="needs a matte"):
        compose(
            StillFootage(rgb, 25), patches(12), matte=None, background=Background("blur"),
            speech=speech(tmp_path / "v.wav", 1), output=OutputSpec(W, H), out_path=tmp_path / "o.mp4",
        )  # fmt: skip


@given(seconds=st.floats(0.0, 3.0), fps=st.sampled_from([24, 25, 30, 50, 60]))
def test_frame_count(tmp_path_factory: pytest.TempPathFactory, seconds: float, fps: int) -> None:
    path = speech(tmp_path_factory.mktemp("s") / "v.wav", seconds)
    assert abs(frame_count(path, fps) - max(1, seconds * fps)) <= 0.51


@given(x=st.integers(-40, 340), y=st.integers(-40, 200))
def test_patches_beyond_the_frame_are_cut(x: int, y: int) -> None:
    frame = np.zeros((H, W, 3), np.uint8)
    out = paste(
        frame, Patch(0, x, y, np.full((20, 30, 3), 255, np.uint8), np.full((20, 30), 255, np.uint8), STILL)
    )
    inside = Rect(x, y, 30, 20).clipped(W, H)
    assert np.count_nonzero(out[..., 0]) == inside.width * inside.height
    assert not frame.any()


@given(
    w=st.integers(20, 3000), h=st.integers(20, 3000),
    aspect=st.sampled_from(["16:9", "9:16", "1:1", "4:5", "source"]),
    height=st.sampled_from([360, 480, 720, 1080]), cx=st.floats(0, 1), cy=st.floats(0, 1),
)  # fmt: skip
def test_crop_never_shows_the_outside(
    *, w: int, h: int, aspect: str, height: int, cx: float, cy: float
) -> None:
    shape = picture(Output(aspect=aspect, resolution=f"{height}p"), request.Background(), w, h)
    size = (shape.width, shape.height)
    assert size[0] % 2 == size[1] % 2 == 0
    matrix = cover((w, h), size, (cx * w, cy * h))
    (sx, _, tx), (_, sy, ty) = matrix
    for n, side, s, t in ((w, size[0], sx, tx), (h, size[1], sy, ty)):
        assert (-0.5 - t) / s >= -0.5 - 1e-6
        assert (side - 0.5 - t) / s <= n - 0.5 + 1e-6


def test_warp_composes_and_shrinks_without_aliasing() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    quarter = cover((400, 400), (100, 100))
    assert warp(stripes, quarter, Rect(0, 0, 100, 100))[20:80, 20:80].std() < 2, "grey, not moire"
    shift = np.array([[1, 0, 5], [0, 1, 7.0]])
    assert np.allclose(after(quarter, shift)[:, 2] - quarter[:, 2], [1.25, 1.75])


def test_prefetch_hands_over_everything_in_order_and_errors_in_place() -> None:
    assert list(prefetch(range(100), depth=3)) == list(range(100))

    def broken() -> Iterator[int]:
        yield from range(5)
        raise ValueError("five")

    stream = prefetch(broken())
    assert [next(stream) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="five"):
        next(stream)


def test_prefetch_stays_bounded_and_closes_its_source() -> None:
    taken: list[int] = []
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            for i in range(1000):
                taken.append(i)
                yield i
        finally:
            closed.set()

    stream = prefetch(source(), depth=3)
    assert next(stream) == 0
    stream.close()
    assert closed.is_set()
    assert len(taken) <= 6


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0])
def test_nothing_is_shown_beyond_a_source_that_does_not_fill(tmp_path: Path, scale: float) -> None:
    """A person cut by the source's left side ends there; she is not smeared to the picture's edge."""
    rgb = np.full((H, W, 3), RED, np.uint8)
    matte = np.zeros((H, W), np.uint8)
    matte[:, : W // 2] = 255
    fit = np.array([[scale, 0, 60], [0, scale, 20.0]])
    out = tmp_path / "out.mp4"
    clear = Patch(0, 0, 0, np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), STILL)
    compose(
        StillFootage(rgb, 25), [clear] * 5, matte=Mattes(matte), background=Background("colour", BLUE),
        speech=speech(tmp_path / "v.wav", 0.2), output=OutputSpec(W, H), out_path=out, fit=fit,
    )  # fmt: skip
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24", src_colorspace=1)
    assert near(frame[30, 70], RED)
    assert near(frame[30, 50], BLUE)
    assert near(frame[10, 70], BLUE)


def test_an_original_that_is_contained_has_black_beside_it(tmp_path: Path) -> None:
    frame, _ = render(
        tmp_path, Background("original"), output=OutputSpec(180, 180), fit=contain((W, H), (180, 180))
    )
    assert near(frame[10, 90], (0, 0, 0))
    assert near(frame[170, 10], BLUE)
    assert near(frame[180 - 50, 90], GREEN)


def test_beside_what_is_contained_lies_the_blurred_picture_enlarged(tmp_path: Path) -> None:
    """Not the edge of the source, drawn out to that of the picture."""
    tall, size = (90, 180), (320, 180)
    across = np.linspace(20, 235, tall[0])
    rgb = np.repeat(np.stack([across, 255 - across, 0 * across], -1)[None], tall[1], 0).astype(np.uint8)
    matte = np.zeros(tall[::-1], np.uint8)
    matte[60:, 30:60] = 255
    clear = Patch(0, 0, 0, np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), STILL)
    out = tmp_path / "out.mp4"
    compose(
        StillFootage(rgb, 25), [clear] * 5, matte=Mattes(matte), background=Background("blur"),
        speech=speech(tmp_path / "v.wav", 0.2), output=OutputSpec(*size), out_path=out,
        fit=contain(tall, size),
    )  # fmt: skip
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24", src_colorspace=1).astype(int)
    left = frame[20, : (size[0] - tall[0]) // 2, 0]
    whole = np.interp(np.arange(len(left)) / size[0], np.linspace(0, 1, tall[0]), across)
    assert np.abs(left - whole)[10:].max() < 14, "the picture from its left side on, over the whole width"
    assert left[-1] - left[0] > 40
