"""Interlaced footage shows no combs, and the same pictures whoever reads them in whichever order."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import encode

from avatarlab_ops.media import clip as clip_module
from avatarlab_ops.media.deinterlace import deinterlaced
from avatarlab_ops.media.footage import ClipFootage, open_footage, open_matte
from avatarlab_ops.media.probe import probe

WIDTH, HEIGHT, COUNT = 192, 96, 40


def fields() -> Iterator[np.ndarray]:
    """Pictures of a bar that moves on between their even and their odd lines."""
    for index in range(COUNT):
        picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        for moment in (0, 1):
            at = (3 * (2 * index + moment)) % (WIDTH - 16)
            picture[moment::2, at : at + 16] = 230
        yield picture


def camcorder(path: Path, gop: int, *, marked: bool = True) -> Path:
    """As a camera encodes 50 fields a second."""
    options = {"x264-params": "interlaced=1:tff=1"} if marked else {}
    return encode(path, fields(), gop=gop, options=options | {"sc_threshold": "0"})


def combs(picture: np.ndarray) -> int:
    """Levels between neighbouring rows of a scene in which all rows are alike."""
    return int(np.abs(np.diff(picture[..., 1].astype(int), axis=0)).max())


def test_moving_edges_show_no_combs_and_the_note_says_so(tmp_path: Path) -> None:
    path = camcorder(tmp_path / "camcorder.mp4", gop=12)
    info = probe(path)
    assert any("interlaced" in note for note in info.notes)
    assert info.read_as == ("deinterlaced",), "what was made of the combs before is made anew"
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        pictures = list(footage.iter())
    assert len(pictures) == COUNT
    assert max(combs(picture) for picture in pictures) <= 30, "170 where they are seen"
    bars = [int(np.flatnonzero(pictures[index][48, :, 1] > 150)[0]) for index in (4, 12)]
    assert bars[0] in {24, 27}, "where one of its two fields shows it"
    assert bars[1] == bars[0] + 48


def test_what_is_not_marked_stays_as_it_is(tmp_path: Path) -> None:
    path = camcorder(tmp_path / "progressive.mp4", gop=12, marked=False)
    assert probe(path).read_as == probe(path).notes == ()
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert combs(footage[5]) > 100


@pytest.mark.parametrize(("gop", "copied"), [(1, False), (12, False), (250, True)])
def test_every_order_gives_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gop: int, copied: bool
) -> None:
    """Face and lips are read forward, the video backward, too: a picture is one picture."""
    path = camcorder(tmp_path / "camcorder.mov", gop)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        forward = list(footage.iter())
    monkeypatch.setattr(clip_module, "CACHE_BYTES", WIDTH * HEIGHT * 3 // 2 * 4)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert isinstance(footage, ClipFootage)
        assert (footage._scratch is not None) is copied
        for index in [*range(COUNT - 1, -1, -1), 20, 3, 38, 12, 11, 0, COUNT - 1]:
            assert np.abs(footage[index].astype(int) - forward[index]).max() <= (16 if copied else 0)


def test_a_size_that_changes_midway_is_no_damage(tmp_path: Path) -> None:
    """Some recordings go on in another one; each run of them is woven by itself."""
    options = {"x264-params": "interlaced=1:tff=1"}
    small = encode(tmp_path / "small.mp4", (rgb[:64] for rgb in fields()), options=options)
    pictures = []
    for path, count in ((camcorder(tmp_path / "large.mp4", gop=12), 4), (small, 5)):
        with av.open(str(path)) as container:
            pictures += list(islice(container.decode(video=0), count))
    for index, picture in enumerate(pictures):
        picture.pts, picture.time_base = index, Fraction(1, 25)
    woven = list(deinterlaced(pictures))
    assert [one.pts for one in woven] == list(range(9))
    assert [one.height for one in woven] == [HEIGHT] * 4 + [64] * 5
    assert max(combs(one.to_ndarray(format="rgb24")) for one in woven) <= 30


def test_the_fields_of_hevc_are_pictures_of_their_own_and_told(tmp_path: Path) -> None:
    """FFmpeg gives each field as a picture and marks it: a whole one cannot be made of it."""
    path = encode(
        tmp_path / "fields.mp4", fields(), codec="libx265", options={"x265-params": "interlace=tff"}
    )
    info = probe(path)
    assert info.read_as == ()
    assert any("interlaced" in note and "HEVC" in note for note in info.notes)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        assert isinstance(footage, ClipFootage)
        assert not footage._clip.woven
        assert combs(footage[5]) > 100, "as it is stored"


def test_the_alpha_of_an_interlaced_clip_has_no_combs_either(tmp_path: Path) -> None:
    path, options = tmp_path / "studio.mov", {"profile": "4444", "flags": "+ildct+ilme"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("prores_ks", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuva444p10le"
        for index, rgb in zip(range(5), fields(), strict=False):
            opaque = np.dstack([rgb, np.where(rgb[..., :1] > 200, 255, 0).astype(np.uint8)])
            picture = av.VideoFrame.from_ndarray(opaque, "rgba").reformat(format="yuva444p10le")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with open_matte(path, fps=25, max_short_side_px=720) as matte:
        assert max(combs(matte[index]) for index in range(5)) <= 2
        assert matte[3].max() >= 250
