"""Footage of high dynamic range looks like the same scene filmed for an ordinary screen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.tonemap import shown

FACE = np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TRANSFERS = {"HLG": ColorTrc.ARIB_STD_B67, "PQ": ColorTrc.SMPTE2084, "BT.2020": ColorTrc.BT2020_10}


def signal(rgb: np.ndarray, kind: str) -> np.ndarray:
    """What a camera would record of a scene that shows as `rgb` uint8, white at 203 cd/m2; 0 to 1."""
    light = (rgb / 255.0) ** 2.4 @ TO_2020.T
    if kind == "BT.2020":
        return light ** (1 / 2.4)
    nits = 203 * light
    if kind == "PQ":
        power = (nits / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    luma = np.maximum(nits @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = nits / 1000 * (luma / 1000) ** (1 / 1.2 - 1)
    log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)


def filmed(path: Path, rgb: np.ndarray, kind: str, frames: int = 12) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "6", "profile": "high10"})
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[:2], "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = TRANSFERS[kind], ColorPrimaries.BT2020
        context.colorspace, context.color_range = Colorspace.BT2020, ColorRange.MPEG
        deep = np.round(np.clip(signal(rgb, kind), 0, 1) * 65535).astype(np.uint16)
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(deep, "rgb48le").reformat(
                format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG
            )
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", TRANSFERS)
def test_high_dynamic_range_and_wide_colour_are_shown_as_an_ordinary_screen_does(
    kind: str, tmp_path: Path
) -> None:
    path = filmed(tmp_path / "clip.mov", FACE, kind)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        seen = footage[3].astype(float)
    skin = (slice(70, 150), slice(80, 160))
    assert np.abs(seen[skin].mean(axis=(0, 1)) - FACE[skin].mean(axis=(0, 1))).max() < 3
    assert np.abs(seen - FACE).mean() < 6
    assert any(kind in note and "BT.709" in note for note in probe(path).notes)


def test_it_is_shown_so_at_another_size_too(tmp_path: Path) -> None:
    path = filmed(tmp_path / "clip.mov", FACE, "HLG")
    with open_footage(path, fps=25, max_short_side_px=128) as footage:
        seen = footage[0]
    assert seen.shape == (128, 128, 3)
    small = FACE.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(seen - small).mean() < 6


def test_an_ordinary_clip_is_left_alone(tmp_path: Path) -> None:
    from media_samples import encode

    path = encode(tmp_path / "clip.mp4", [FACE] * 12)
    assert probe(path).notes == ()


def test_brighter_than_white_is_compressed_in_order_and_keeps_its_hue() -> None:
    orange = np.array([0.68, 0.62, 0.55])
    levels = shown(signal(np.array([230.0, 230.0, 230.0]), "HLG") + np.linspace(0, 0.3, 9)[:, None], "HLG")
    assert (np.diff(levels[:, 0]) > 0).all()
    assert levels.max() <= 1
    bright = shown(orange[None], "PQ")[0]
    assert bright[0] > bright[1] > bright[2]
