"""A file that cuts its subject out by itself is taken at its word."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import encode, numbered
from PIL import Image
from plans import a_plan

from avatarlab_ops.media.footage import open_footage, open_matte
from avatarlab_ops.media.keying import clean, find_band, lay_over, over_neutral
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.video import VideoWriter, write_poster
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.stages.face import open_own_matte

SHAPE = np.full((180, 320), 0, np.uint8)
SHAPE[30:, 100:220] = 255
SHAPE[20:30, 100:220] = 90


def picture(alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([numbered(7), alpha]))


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_the_alpha_channel_of_a_picture_is_its_matte(name: str, tmp_path: Path) -> None:
    picture(SHAPE).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    matte = open_matte(tmp_path / name, fps=25, max_short_side_px=720)
    assert matte is not None
    assert np.array_equal(matte[0][..., 0], SHAPE)
    small = open_matte(tmp_path / name, fps=25, max_short_side_px=90)
    assert small is not None
    with open_footage(tmp_path / name, fps=25, max_short_side_px=90) as colour:
        assert small[0].shape == colour[0].shape


def test_the_transparent_colour_of_a_palette_is_a_matte(tmp_path: Path) -> None:
    cut = np.where(SHAPE >= 128, 255, 0).astype(np.uint8)
    picture(cut).quantize(64, method=Image.Quantize.FASTOCTREE).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.mode == "P"
    matte = open_matte(tmp_path / "a.png", fps=25, max_short_side_px=720)
    assert matte is not None
    assert np.array_equal(matte[0][..., 0], cut)


def test_an_opaque_picture_has_none(tmp_path: Path) -> None:
    picture(np.full_like(SHAPE, 255)).save(tmp_path / "opaque.png")
    picture(np.full_like(SHAPE, 250)).save(tmp_path / "nearly.png")
    Image.fromarray(numbered(7)).save(tmp_path / "a.jpg")
    for name in ("opaque.png", "nearly.png", "a.jpg"):
        assert open_matte(tmp_path / name, fps=25, max_short_side_px=720) is None


def webm(path: Path, frames: int) -> Path:
    """VP9 with alpha, as this product and browsers write it; the shape walks right."""
    with VideoWriter(path, 320, 180, 25, container="webm", alpha=True) as output:
        for i in range(frames):
            output.write(np.dstack([numbered(i), np.roll(SHAPE, 2 * i, axis=1)]))
    return path


def prores(path: Path, frames: int, opaque: int = 0) -> Path:
    """ProRes 4444, as editors write it; whole at its beginning, as under a title."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("prores_ks", rate=25, options={"profile": "4444"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuva444p10le"
        for i in range(frames):
            alpha = np.full_like(SHAPE, 255) if i < opaque else np.roll(SHAPE, 2 * i, axis=1)
            pixels = np.dstack([numbered(i), alpha])
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgba")
            picture.pts, picture.time_base = i, Fraction(1, 25)
            output.mux(stream.encode(picture.reformat(format="yuva444p10le")))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("make", "name"), [(webm, "a.webm"), (prores, "a.mov")])
def test_the_alpha_channel_of_a_clip_is_its_matte(make: object, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, 30)  # type: ignore[operator]
    told = probe(path)
    assert told.own_alpha
    assert any("transparent parts" in note for note in told.notes)
    matte = open_matte(path, fps=25, max_short_side_px=720)
    assert matte is not None
    with matte:
        assert len(matte) == 30
        for i in (0, 29, 3, 17):  # backward too
            assert np.abs(matte[i][..., 0].astype(int) - np.roll(SHAPE, 2 * i, axis=1)).mean() < 4


def test_a_clip_that_begins_whole_keeps_its_own_cut_out(tmp_path: Path) -> None:
    """Nor does a part of it that is whole go to the matting network: a first frame is as the video's."""
    path = prores(tmp_path / "title.mov", 30, opaque=10)
    told = probe(path)
    assert told.own_alpha
    assert told.read_as == (), "which tells of its colours"
    for part in ((0.0, None), (0.2, 1.0), (0.0, 0.1)):
        matte = open_matte(path, fps=25, max_short_side_px=720, part=part)
        assert matte is not None
        with matte:
            assert matte[0].min() == 255


def test_an_alpha_that_cuts_nothing_out_is_told_to_be_left(tmp_path: Path) -> None:
    path = prores(tmp_path / "opaque.mov", 12, opaque=12)
    assert (probe(path).own_alpha, probe(path).read_as) == (False, ())
    assert any("alpha channel" in note and "not used" in note for note in probe(path).notes)


@pytest.mark.parametrize(("told", "kept"), [(True, True), (False, False)])
def test_the_matte_is_what_the_probe_said_of_the_whole_clip(tmp_path: Path, told: bool, kept: bool) -> None:
    """Not what a part of it looks like."""
    path = prores(tmp_path / "title.mov", 12, opaque=6)
    plan = a_plan()
    beginning = plan.footage.model_copy(update={"end_s": 0.1})
    avatar = plan.avatar.model_copy(update={"own_alpha": told})
    plan = plan.model_copy(update={"footage": beginning, "avatar": avatar})
    matte = open_own_matte(OnDisk(path, plan))  # type: ignore[arg-type]
    assert (matte is not None) is kept
    if matte is not None:
        matte.close()


@dataclass
class OnDisk:
    """Of a stage's context, where its avatar lies."""

    path: Path
    plan: Plan

    def source(self, _: Source) -> Path:
        return self.path


def test_the_poster_of_a_transparent_video_is_laid_over_grey(tmp_path: Path) -> None:
    frame = np.dstack([np.full((180, 320, 3), 200, np.uint8), SHAPE])
    write_poster(tmp_path / "poster.jpg", frame)
    shown = np.asarray(Image.open(tmp_path / "poster.jpg")).astype(int)
    assert np.abs(shown[100, 20] - 128).max() < 4  # nothing there
    assert np.abs(shown[100, 160] - 200).max() < 4


def test_an_ordinary_clip_has_none(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", (numbered(i) for i in range(12)))
    assert (probe(path).own_alpha, probe(path).notes) == (None, ())
    assert open_matte(path, fps=25, max_short_side_px=720) is None


@pytest.mark.parametrize("outside", ["straight, over black", "straight, continued", "premultiplied"])
@pytest.mark.parametrize("plate", [0, 255])
def test_the_edge_of_a_clip_that_cuts_itself_out_has_no_rim(outside: str, plate: int) -> None:
    """Over black and white it is what its colours and its alpha say, within a few levels."""
    y, x = np.mgrid[:180, :320]
    soft = np.clip((70 - np.hypot(y - 90, x - 160)) / 8 + 0.5, 0, 1)
    alpha = (soft * 255 + 0.5).astype(np.uint8)
    skin, weight = np.float64([205, 160, 130]), (alpha / 255)[..., None]
    colour = np.broadcast_to(skin, (180, 320, 3))
    if outside == "premultiplied":
        colour = colour * weight
    elif outside == "straight, over black":
        colour = colour * (alpha > 0)[..., None]
    frame = over_neutral((colour + 0.5).astype(np.uint8), alpha)
    shown = lay_over(frame, find_band(frame, clean(alpha)), np.full((180, 320, 3), plate, np.uint8))
    right = skin * weight + plate * (1 - weight)
    assert np.abs(shown - right).max() < 6
